from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guard.commands import swept


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A guard's folder that does not exist yet; nothing of its guard outlives the test."""
    path = tmp_path / "steps" / "repoint-1-1"
    with swept(path):
        yield path
