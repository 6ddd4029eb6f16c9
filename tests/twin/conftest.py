"""What the tests of whole drills share."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.twin import Twin


@pytest.fixture
def own_twins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder of twins of this test alone, with a path short enough for sockets; none may live on in it."""
    folder = tempfile.mkdtemp(prefix="tw-")
    monkeypatch.setenv("DRILLCTL_TWINS", folder)
    yield
    left = Twin.all()
    for twin in left:
        twin.down()
    shutil.rmtree(folder)
    assert not left, "a twin outlived its test"
    assert not Path(folder).exists()
