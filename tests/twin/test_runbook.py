"""The printed runbook, carried out in a twin by a plain shell that knows nothing but its pages."""

from collections.abc import Iterator
from datetime import date
from shlex import split

import pytest

from orchestrator.adapters.moves import next_hop
from orchestrator.adapters.ssh import ssh_targets
from orchestrator.loader.drill import load_drill
from orchestrator.loader.site import LoadedSite, load_site
from orchestrator.model.drill import Mode, Response
from orchestrator.model.plan import Plan
from orchestrator.planner import Request, make_plan
from orchestrator.report.runbook import render
from orchestrator.report.runbook_model import Login
from orchestrator.twin import Twin
from tests.support.runbooks import Reader, Window, window
from tests.support.sites import ROOT
from tests.support.twins import ENTER, Shell, broken, logged_in, until

pytestmark = [pytest.mark.twin, pytest.mark.matrix]

TODAY = date(2026, 11, 22)
GATEWAYS = ("nq-trade-1", "nq-md-1", "nq-ccnet-1")  # an ini, an XML in GBK, a properties file


@pytest.fixture
def site() -> LoadedSite:
    return load_site(ROOT / "inventory/example")


@pytest.fixture
def twin(own_twins: None, site: LoadedSite) -> Iterator[Twin]:  # noqa: ARG001 - its folder of twins has to be there
    made = Twin.up(site)
    yield made
    made.down()


def planned(site: LoadedSite, drill: str, **settings: str) -> Plan:
    request = Request(Mode.DRILL, TODAY, settings, Response.REPOINT)
    return make_plan(site.topology, site.digest, load_drill(ROOT / "drills", drill), request)


def printed(site: LoadedSite, plan: Plan) -> Reader:
    logins = {name: Login(item.address, item.user, item.port) for name, item in ssh_targets(site).items()}
    return Reader(render(plan, site.topology, logins, TODAY, "en"))


class Operator:
    """Somebody with the pages, ssh and a key."""

    def __init__(self, twin: Twin, pages: Reader) -> None:
        self._twin = twin
        self._pages = pages
        self._options = [*twin.ssh_settings().options(), "-o", "ControlPath=none"]

    def carry_out(self, key: str) -> list[str]:
        """Log in as the block says and follow it from its first command to its last; the answers."""
        program, *where = split(self._pages.logins[key])
        enter = ENTER.format(pid=self._twin.pid).split()
        with window([*enter, program, *self._options, *where, "/bin/sh"]) as shell:
            return self._follow(shell, key)

    def _follow(self, shell: Window, key: str) -> list[str]:
        return [shell.follow(command) for command in self._pages.blocks[key]]


def file_of(twin: Twin, site: LoadedSite, gateway: str) -> str:
    """The gateway's file as it stands on its host: digest, owner and mode."""
    path = site.topology.config_path(site.topology.gateway[gateway])
    return Shell(twin).says(site.topology.gateway[gateway].host, f"sha256sum {path}; stat -c '%U %G %a' {path}")


def at(twin: Twin, site: LoadedSite, gateway: str) -> str | None:
    """The centre where the fronts themselves say that its number is logged in."""
    found = logged_in(twin).get(site.topology.gateway[gateway].number)
    return found["centre"] if found else None


def test_a_plain_shell_moves_gateways_by_the_printed_pages_and_back(site: LoadedSite, twin: Twin) -> None:
    plan = planned(site, "single-centre-failure")
    operator = Operator(twin, printed(site, plan))
    until(lambda: all(at(twin, site, name) == "futian" for name in GATEWAYS), 30)
    before = {name: file_of(twin, site, name) for name in GATEWAYS}
    for name in GATEWAYS:
        operator.carry_out(f"snapshot/{name}")
        operator.carry_out(f"check-baseline/{name}")
    with broken(twin, plan.fault, lease_s=300):
        for name in GATEWAYS:
            operator.carry_out(f"repoint-1/{name}")
            assert at(twin, site, name) == "southern", f"{name} is logged in at the new front"
            assert file_of(twin, site, name) != before[name]
            operator.carry_out(f"settle/{name}")
        operator.carry_out("check-after-switch/ce-a")
    for name in GATEWAYS:
        operator.carry_out(f"restore-1/{name}")
        assert at(twin, site, name) == "futian", f"{name} is logged in where it was"
        operator.carry_out(f"settle-back/{name}")
        operator.carry_out(f"prove/{name}")
        assert file_of(twin, site, name) == before[name], f"{name} has its own file again, with owner and mode"
    truth = twin.truth()
    assert (truth["duplicates"], truth["shared_certificates"]) == (0, 0)


def test_the_pages_stop_whoever_types_them_on_a_host_where_somebody_else_has_edited(
    site: LoadedSite, twin: Twin
) -> None:
    plan = planned(site, "single-centre-failure")
    operator = Operator(twin, printed(site, plan))
    until(lambda: at(twin, site, "nq-trade-1") == "futian", 30)
    path = site.topology.config_path(site.topology.gateway["nq-trade-1"])
    Shell(twin).says("gw-a1", f"sed -i s/172.50.101.30/172.50.101.31/ {path}")
    logins = len(twin.truth()["logins"])
    with pytest.raises(AssertionError, match=r"expected '172\.50\.101\.30:7043'"):
        operator.carry_out("snapshot/nq-trade-1")
    assert len(twin.truth()["logins"]) == logins
    assert at(twin, site, "nq-trade-1") == "futian", "it was stopped by nobody"


def test_a_plain_shell_moves_a_number_to_its_cold_standby_and_back(site: LoadedSite, twin: Twin) -> None:
    """Way 2: the host is gone, and its router keeps it out; then everything back."""
    plan = planned(site, "gateway-host-failure")
    pages = printed(site, plan)
    operator = Operator(twin, pages)
    until(lambda: at(twin, site, "nq-trade-1") == "futian", 30)
    fences = [key for key in pages.blocks if key.startswith("fence-1/ce-")]
    assert fences
    with broken(twin, plan.fault, lease_s=300):
        for key in fences:
            operator.carry_out(key)
        operator.carry_out("take-over-1/nq-trade-1-cold")
        assert holder(twin) == "nq-trade-1-cold"
    operator.carry_out("kept-out-1/nq-trade-1")
    operator.carry_out("give-back-1/nq-trade-1-cold")
    assert at(twin, site, "nq-trade-1") is None, "the number is nobody's while its own host is kept out"
    for key in fences:
        operator.carry_out(key.replace("fence-1/", "unfence-1/"))
    until(lambda: holder(twin) == "nq-trade-1", 60)
    truth = twin.truth()
    assert (truth["duplicates"], truth["shared_certificates"]) == (0, 0)


def test_a_plain_shell_moves_static_paths_and_back(site: LoadedSite, twin: Twin) -> None:
    plan = planned(site, "single-carrier-failure", carrier="unicom")
    pages = printed(site, plan)
    operator, shell = Operator(twin, pages), Shell(twin)
    moves = [key for key in pages.blocks if key.startswith("paths/")]
    assert moves
    for path in plan.paths:
        network, via = site.topology.centre[path.centre].network, next_hop(site.topology, path.router, path.line_before)
        again = f"ip route del {network} && ip route add {network} via {via} proto static metric 50"
        shell.says(path.router, again)
    networks = " ".join(str(centre.network) for centre in site.topology.centres)
    show = f"for n in {networks}; do ip route show exact $n; done"
    before = shell.says("ce-b", show)
    for key in moves:
        operator.carry_out(key)
    for path in plan.paths:
        front = next(item for item in site.topology.fronts if item.centre == path.centre and not item.group)
        assert shell.next_hop(path.router, str(front.address)) == next_hop(site.topology, path.router, path.line_after)
    for key in moves:
        operator.carry_out(key.replace("paths/", "paths-back/"))
    assert shell.says("ce-b", show) == before, "protocol and metric too"


def holder(twin: Twin) -> str | None:
    """The gateway that is logged in with the number of nq-trade-1."""
    if "W100200" not in logged_in(twin):
        return None
    accepted = [item for item in twin.truth()["logins"] if item["number"] == "W100200" and item["accepted"]]
    return str(accepted[-1]["gateway"])
