"""Everything that is measured, in one run: `python -m benchmarks [PART …] [--into FILE]`. An hour on two cores.

Each part is a program of its own and prints its table. With `--into` the figures, the machine and the versions are
written into that file below its line `<!-- figures -->`; what stands above it is kept.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.table import Row

# Small things first, while the machine is quiet; then what fills it.
PARTS: Mapping[str, Sequence[str]] = {
    "startup": (),
    "planning": (),
    "journal": (),
    "abort": (),
    "rehearsal": ("3", "--hosts", "200"),
    "verification": ("10", "50", "100", "200"),
    "switching": ("10", "50", "100", "200"),
}
_MARK = "<!-- figures -->\n"
_PACKAGES = ("ansible-core", "ansible-runner", "fabric", "pydantic", "pytest", "pytest-testinfra", "weasyprint")
_TOOLS = (("ssh", "-V"), ("/usr/bin/python3", "--version"))
_LONGEST_S = 2 * 3600


def main(parts: Iterable[str], into: Path | None) -> int:
    """The number of limits that were not kept, at most 1."""
    found: dict[str, list[Row]] = {}
    for part in parts:
        print(f"== {part}", flush=True)
        found[part] = _measured(part)
    over = [item for rows in found.values() for item in rows if item.is_over]
    print(
        f"== {len(over)} of {sum(item.limit is not None for rows in found.values() for item in rows)} limits not kept"
    )
    for item in over:
        print(item.line())
    if into is not None:
        head, mark, _ = into.read_text(encoding="utf-8").partition(_MARK)
        into.write_text(head + mark + "".join(line + "\n" for line in _page(found)), encoding="utf-8")
    return 1 if over else 0


def _measured(part: str) -> list[Row]:
    """A part that fails leaves its rows out, and says so."""
    # What Python compiles is kept, as on a controller: else every process would compile what it loads.
    own = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory(prefix="drillctl-bench-") as scratch:
        file = Path(scratch) / "rows.json"
        words = [sys.executable, "-m", f"benchmarks.{part}", *PARTS[part], "--json", str(file)]
        done = subprocess.run(words, env=own, timeout=_LONGEST_S, check=False)
        rows = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    failed = [Row(f"{part} (exit {done.returncode})", None, "", None, part)] if done.returncode else []
    return [*(Row(**item) for item in rows), *failed]


def _page(found: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    yield ""
    yield f"Measured on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, in one run. {_machine()}"
    yield ""
    yield ", ".join(_versions()) + "."
    for part, rows in found.items():
        yield from ("", f"### {part}", "", "| what | value | limit |", "|---|---:|---:|")
        for item in rows:
            yield f"| {item.what} | {item.shown} | {item.limit_shown} |"


def _machine() -> str:
    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = next(int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal"))
    return f"{len(names)} × {names[0]}, {memory / (1 << 20):.0f} GiB, Linux {platform.release()}."


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines()


def _versions() -> Iterator[str]:
    yield f"Python {platform.python_version()}"
    for name in _PACKAGES:
        yield f"{name} {version(name)}"
    for words in _TOOLS:
        done = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False)
        yield f"{Path(words[0]).name} of the hosts: {(done.stdout + done.stderr).strip()}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", allow_abbrev=False)
    parser.add_argument(
        "parts", metavar="PART", nargs="*", choices=(*PARTS, "all"), default="all", help=", ".join(PARTS)
    )
    parser.add_argument("--into", metavar="FILE", type=Path, help="a page with a line <!-- figures -->")
    given = parser.parse_args()
    sys.exit(main(PARTS if "all" in given.parts else given.parts, given.into))
