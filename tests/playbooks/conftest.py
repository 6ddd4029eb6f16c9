from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.playbooks.harness import RELEASE_S, Vendor
from tests.playbooks.vendor.front import Front, Registry


@pytest.fixture
def registry() -> Registry:
    return Registry(RELEASE_S)


@pytest.fixture
def fronts(registry: Registry) -> Iterator[list[Front]]:
    """Three fronts: futian, southern, beijing."""
    found = [Front(registry) for _ in range(3)]
    yield found
    for front in found:
        front.close()


@pytest.fixture
def vendor(tmp_path: Path, fronts: list[Front]) -> Iterator[Vendor]:
    """A gateway with the first two fronts in its list, logged in at the first, with the run's token on its host."""
    made = Vendor(tmp_path / "gw", [fronts[0].endpoint, fronts[1].endpoint])
    made.start()
    made.arm()
    yield made
    made.end()
