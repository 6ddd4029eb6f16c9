"""One lab per test, and the on-host sources as modules."""

import importlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from orchestrator.adapters.ssh import close_masters, ssh_targets
from tests.measuring.lab import ONHOST, Lab, lab


@pytest.fixture
def measured(tmp_path: Path) -> Iterator[Lab]:
    """A site on loopback addresses; its hosts, fronts and gateways are started by the test."""
    with tempfile.TemporaryDirectory(prefix="cm") as control, lab(tmp_path, Path(control)) as opened:
        yield opened
        reached = [target for target in ssh_targets(opened.site).values() if any(Path(control).iterdir())]
        close_masters(opened.ssh, reached)


@pytest.fixture
def onhost(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The sampler as a module, as a host's interpreter sees it."""
    monkeypatch.syspath_prepend(str(ONHOST))
    monkeypatch.delitem(sys.modules, "sampler", raising=False)
    return importlib.import_module("sampler")
