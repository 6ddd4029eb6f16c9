"""One honest archive for all tests; whoever wants to harm one gets a copy."""

from pathlib import Path

import pytest

from tests.evidence.packs import Archive, Office

RUNS = (0, 1, 2)


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return Office.at(tmp_path_factory.mktemp("office"))


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory, office: Office) -> Archive:
    """Three runs, a week apart. Not to be changed."""
    archive = Archive(tmp_path_factory.mktemp("honest") / "reports", office)
    for number in RUNS:
        archive.hold(number)
    return archive


@pytest.fixture
def archive(honest: Archive, tmp_path: Path) -> Archive:
    """A copy of the honest archive."""
    return honest.copy(tmp_path / "reports")


@pytest.fixture
def pack(archive: Archive) -> Path:
    """A copy of an honest pack: the second run's."""
    return archive.pack(1)
