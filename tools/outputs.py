"""Fills the `<!-- output: COMMAND -->` blocks of the documents with what the commands really print.

`python tools/outputs.py` runs every command that touches nothing and rewrites its blocks. A rehearsal's block
takes its text from a file: `python tools/outputs.py --rehearsal FILE`. Tests compare the blocks with reality.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 100  # our choice: columns of the documents' examples
LONGEST_S = 60  # our choice: a command that touches nothing answers in seconds
_BLOCK = re.compile(r"(<!-- output: (?P<command>.+?) -->\n```text\n)(?P<body>.*?)(^```$)", re.DOTALL | re.MULTILINE)
_VARYING = (
    (re.compile(r"\d{8}T\d{6}-([a-z-]+)-[0-9a-f]{4}"), r"START-\1-XXXX"),
    (re.compile(r"\d{2}:\d{2}:\d{2}(\.\d+)?"), "HH:MM:SS"),
    (re.compile(r"((?:report \w\w|evidence): )\S*/reports/"), r"\1reports/"),
    (re.compile(r"signed by [0-9a-f]+…, stamped \S+"), "signed by WHOM, stamped WHEN"),
    (re.compile(r"\d+\.\d+"), "N"),
    # which gateways came home by themselves is a matter of milliseconds
    (re.compile(r"(home-\d+: [^(:\n]*)(?:: nothing to do| \([^)]*\))"), r"\1"),
    (re.compile(r"[ \t]+"), " "),
)


def documents() -> list[Path]:
    """Documents that show output."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(path for path in found if _BLOCK.search(path.read_text(encoding="utf-8")))


def blocks(path: Path) -> list[tuple[str, str]]:
    """(command, text) of each block."""
    return [(found["command"], found["body"]) for found in _BLOCK.finditer(path.read_text(encoding="utf-8"))]


def printed(command: str) -> str:
    """What a command prints, without colours, trailing blanks and blank edges."""
    environment = {**os.environ, "COLUMNS": str(WIDTH), "NO_COLOR": "1", "TERM": "dumb"}
    program, *arguments = shlex.split(command)
    if program != "drillctl":
        raise ValueError(f"expected a drillctl command in a document, found {command!r}")
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=True,
    )
    return tidy(done.stdout)


def tidy(text: str) -> str:
    """Text as it stands in a document."""
    lines = [line.rstrip() for line in text.strip("\n").splitlines()]
    return "\n".join(lines).strip("\n") + "\n"


def normalised(text: str) -> str:
    """A rehearsal's text with everything that differs from run to run left out."""
    for pattern, replacement in _VARYING:
        text = pattern.sub(replacement, text)
    return tidy(text)


def is_rehearsal(command: str) -> bool:
    """Whether a command takes a twin: too long to run for a document."""
    return command.startswith("drillctl rehearse ") and "--help" not in command


def fill(path: Path, text_of: Callable[[str], str | None]) -> None:
    """Rewrite the blocks for which there is a text."""
    document = path.read_text(encoding="utf-8")

    def block(found: re.Match[str]) -> str:
        text = text_of(found["command"])
        return found[0] if text is None else found[1] + text + found[4]

    path.write_text(_BLOCK.sub(block, document), encoding="utf-8")


def main(arguments: list[str]) -> None:
    """See the module's docstring."""
    rehearsal = tidy(Path(arguments[1]).read_text(encoding="utf-8")) if arguments[:1] == ["--rehearsal"] else None
    rehearsal = rehearsal and re.sub(r"\S*/(reports/)", r"\1", rehearsal)
    for path in documents():
        fill(path, lambda command: rehearsal if is_rehearsal(command) else printed(command))


if __name__ == "__main__":
    main(sys.argv[1:])
