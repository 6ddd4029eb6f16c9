"""What the documents show is what the commands print."""

from pathlib import Path

import pytest

from tools.outputs import ROOT, blocks, documents, is_rehearsal, printed

SHOWN = [(path, command, text) for path in documents() for command, text in blocks(path)]


@pytest.mark.parametrize(
    ("path", "command", "text"),
    [item for item in SHOWN if not is_rehearsal(item[1])],
    ids=lambda value: str(value.relative_to(ROOT)) if isinstance(value, Path) else value.split("\n")[0][:40],
)
def test_a_block_shows_what_the_command_prints(path: Path, command: str, text: str) -> None:
    assert text == printed(command), f"{path}: run `python tools/outputs.py`"


def test_the_documents_show_output() -> None:
    assert {command.split()[1] for _, command, _ in SHOWN} >= {"plan", "rehearse", "--help", "audit", "twin"}
    assert all(text.strip() for _, _, text in SHOWN)
