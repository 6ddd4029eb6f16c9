"""The Markdown of this repository, taken apart."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def links(document: Path) -> list[str]:
    """Targets of the links to files of this repository."""
    text = _FENCE.sub("", document.read_text(encoding="utf-8"))
    return [target for target in _LINK.findall(text) if not target.startswith(("https://", "#"))]


def blocks(document: Path, language: str) -> list[str]:
    """Fenced blocks of one language."""
    return [body for name, body in _FENCE.findall(document.read_text(encoding="utf-8")) if name == language]


def tables(document: Path) -> dict[str, list[list[str]]]:
    """Rows of the table under each heading, without its head; cells as they stand."""
    found: dict[str, list[list[str]]] = {}
    heading = ""
    for line in document.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.startswith("|") and not line.startswith("|---"):
            found.setdefault(heading, []).append([cell.strip() for cell in line.strip("|").split("|")])
    return {name: rows[1:] for name, rows in found.items()}
