"""What-if against what the fronts see: a few failures, really made on one twin, with nothing switched.

`python -m tests.whatif_twin` tries every failure of the example, those with a switch too.
"""

from collections.abc import Iterator

import pytest

from orchestrator.loader.site import load_site
from orchestrator.planner.failures import failures_named
from orchestrator.planner.situation import Fate
from orchestrator.twin import Twin
from tests.support.twins import own_root, twin_of, until
from tests.whatif_twin.cases import Case
from tests.whatif_twin.trial import EXAMPLE, UP_S, injected_on
from tests.whatif_twin.truth import now

pytestmark = [pytest.mark.twin, pytest.mark.matrix]
TOPOLOGY = load_site(EXAMPLE).topology


@pytest.fixture(scope="module")
def twin() -> Iterator[Twin]:
    with own_root(), twin_of(EXAMPLE, "whatif", lease_s=900) as made:
        yield made


def places(twin: Twin) -> dict[str, str | None]:
    """Number → front, as the fronts have it."""
    return {number: seen.front for number, seen in now(twin.truth()).items()}


def test_what_is_predicted_is_what_the_fronts_see(twin: Twin) -> None:
    """Those first after which everything comes home by itself; the last one moves gateways for good."""
    numbers = {item.number for item in TOPOLOGY.gateways if item.enabled}
    until(lambda: {number for number, front in places(twin).items() if front} == numbers, UP_S)
    home, fates = places(twin), set[str]()
    for text in ("satellite=sat-receive", "line=tel-southern", "host=gw-a3", "centre=futian"):
        until(lambda: places(twin) == home, UP_S)
        rows = injected_on(twin, Case("inject", failures_named(TOPOLOGY, text)[0]), TOPOLOGY)
        assert [f"{item.gateway}: {item.wrong}" for item in rows if item.wrong] == [], text
        fates |= {item.fate for item in rows}
    assert fates >= {Fate.UNTOUCHED, Fate.ITSELF, Fate.PAIR}, "the failures say nothing"
