"""Breaks one rule at a time in a copy of the project and expects the named test to fail.

`python tools/mutants.py [WORD …]` plays those of tests/mutants.yml whose rule or file holds all the words. Exit
status 1 names what survived, and what could not be told: a mutant that does not fit, a test that fails anyway.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "tests" / "mutants.yml"
_TEST_S = 300  # our choice: a mutant that makes a test hang is caught too
_FAILED, _PASSED = 1, 0


def main(words: list[str]) -> int:
    """Exit status."""
    chosen = [item for item in load() if all(word in f"{item['rule']} {item['file']}" for word in words)]
    if not chosen:
        print(f"expected a rule with {' '.join(words)}, found none", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="drillctl-mutants-") as name:
        copy = Path(name)
        _copy_project(copy)
        before = _run(copy, sorted({item["test"] for item in chosen}))
        if before != _PASSED:
            print("the tests do not pass without a mutant", file=sys.stderr)
            return 1
        bad = [item["rule"] for item in chosen if not _is_killed(copy, item)]
    print(f"{len(chosen)} mutants, {len(chosen) - len(bad)} killed, {len(bad)} not")
    return 1 if bad else 0


def load() -> list[dict[str, Any]]:
    """Every mutant, its texts without the indentation of the list."""
    found: list[dict[str, Any]] = yaml.safe_load(LIST.read_text(encoding="utf-8"))
    return found


def mutated(text: str, mutant: dict[str, Any]) -> str:
    """The file with the rule broken. ValueError: `old` does not stand in it exactly once."""
    old, new = (textwrap.dedent(mutant[key]).rstrip("\n") for key in ("old", "new"))
    for indent in (" " * n for n in range(0, 24, 4)):
        wanted = textwrap.indent(old, indent)
        if text.count(f"\n{wanted}") == 1:
            return text.replace(f"\n{wanted}", f"\n{textwrap.indent(new, indent)}")
    raise ValueError(f"{mutant['file']}: expected the text of “{mutant['rule']}” once, found it otherwise")


def _copy_project(copy: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)


def _is_killed(copy: Path, mutant: dict[str, Any]) -> bool:
    file = copy / mutant["file"]
    text = file.read_text(encoding="utf-8")
    began = time.monotonic()
    try:
        file.write_text(mutated(text, mutant), encoding="utf-8")
        code = _run(copy, [mutant["test"]])
    finally:
        file.write_text(text, encoding="utf-8")
    said = {_FAILED: "killed", _PASSED: "SURVIVED"}.get(code, f"NOT TOLD (pytest ended with {code})")
    print(f"{said:<10} {time.monotonic() - began:5.1f} s  {mutant['rule']}", flush=True)
    return code == _FAILED


def _run(copy: Path, tests: list[str]) -> int:
    """Pytest's exit status; a test that hangs has failed."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, timeout=_TEST_S, check=False
        )
    except subprocess.TimeoutExpired:
        return _FAILED
    if done.returncode not in (_FAILED, _PASSED) or (done.returncode and len(tests) > 1):
        print(done.stdout[-2000:], file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
