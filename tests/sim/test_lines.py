"""The ground truth of lines is read off each centre's kernel, once for all that is asked at one time."""

from orchestrator.loader.site import load_site
from orchestrator.twin.layout import lay_out
from orchestrator.twin.lines import LineTruth
from orchestrator.twin.netns import Namespaces
from orchestrator.twin.nft import Nft
from tests.support.sites import ROOT

LAYOUT = lay_out(load_site(ROOT / "inventory/example").topology)
SOURCE = "198.19.1.11"
TELECOM, UNICOM = LAYOUT.line_device["tel-futian"], LAYOUT.line_device["uni-futian"]


class Kernel(Nft):
    """Answers as libnftables does; counts how often it was asked for a list."""

    def __init__(self) -> None:
        super().__init__(Namespaces())
        self.lists = 0

    def run(self, space: str, command: str) -> str:
        if not command.startswith("list"):
            return ""
        self.lists += 1
        if space != "centre-futian":
            return "table inet truth { set flows { } }"
        flows = [(5000, UNICOM, "4m59s800ms"), (5000, TELECOM, "3m"), (5001, TELECOM, "4m50s")]
        listed = [f'{SOURCE} . {port} . "{device}" timeout 5m expires {left}' for port, device, left in flows]
        return "elements = { " + ", ".join(listed) + " }"


def test_a_connections_line_is_that_of_its_newest_packet() -> None:
    truth = LineTruth(LAYOUT, Kernel())
    assert truth.line_of("futian", SOURCE, 5000) == "uni-futian"
    assert truth.line_of("futian", SOURCE, 5001) == "tel-futian"
    assert truth.line_of("futian", SOURCE, 5002) is None
    assert truth.line_of("southern", SOURCE, 5000) is None


def test_a_centre_is_asked_once_for_all_its_connections_and_afresh_the_next_time() -> None:
    kernel = Kernel()
    truth = LineTruth(LAYOUT, kernel)
    for asked in (2, 4):
        with truth.listed_once():
            found = [truth.line_of(centre, SOURCE, port) for centre in ("futian", "southern") for port in (5000, 5001)]
        assert (found, kernel.lists) == (["uni-futian", "tel-futian", None, None], asked)
    truth.line_of("futian", SOURCE, 5000)
    assert kernel.lists == 5
