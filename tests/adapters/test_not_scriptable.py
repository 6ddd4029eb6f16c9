"""A host that is not scriptable is never connected to, whatever lists hosts; and what is wrong with one is named."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from orchestrator.adapters.checks_plan import check_context
from orchestrator.adapters.collecting import Collector
from orchestrator.adapters.collecting_program import Asked
from orchestrator.adapters.player import Names, Requests
from orchestrator.adapters.sampler_child import Listening
from orchestrator.adapters.sampler_program import sampler_request
from orchestrator.adapters.sampler_request import SamplerRequest
from orchestrator.adapters.secrets import NO_MASK
from orchestrator.adapters.ssh import SshSettings, ssh_targets
from orchestrator.adapters.world import SiteWorld, Tools
from orchestrator.engine import expect
from orchestrator.engine.log import Assignment
from orchestrator.errors import DefinitionError
from orchestrator.loader.drill import load_drill
from orchestrator.loader.site import LoadedSite, load_site
from orchestrator.model.drill import Mode, Response
from orchestrator.model.plan import Plan
from orchestrator.model.support import Limits
from orchestrator.planner import Request, make_plan
from orchestrator.ports import Call, Snapshot, TargetResult
from tests.loader.test_bad_input import edit, message, site
from tests.support.sites import ROOT

__all__ = ["site"]

HOST = "gw-a2"
_LINE = "{id: gw-a2, room: room-a, router: ce-a,"


def by_hand(site: Path, fields: str = "scriptable: false, hands: wang,") -> int:
    return edit(site / "topology.yml", _LINE, f"{_LINE} {fields}")


@pytest.fixture
def theirs(site: Path) -> LoadedSite:
    by_hand(site)
    return load_site(site)


def planned(site: LoadedSite, mode: Mode) -> Plan:
    drill = load_drill(ROOT / "drills", "single-centre-failure")
    request = Request(mode, date(2026, 11, 22), {}, Response.REPOINT)
    return make_plan(site.topology, site.digest, drill, request)


class Recording(SiteWorld):
    """Writes down which hosts would be asked, at the border, instead of asking them."""

    asked: set[str]

    def _play(
        self, call: Call, playbook: str, requests: Requests, names: Names, deadline_s: float
    ) -> Iterator[TargetResult]:
        del call, playbook, names, deadline_s
        self.asked = getattr(self, "asked", set()) | set(requests)
        return iter(())

    def _ask(self, call: Call, requests: Requests, names: Names, deadline_s: float) -> Iterator[TargetResult]:
        return self._play(call, "state", requests, names, deadline_s)


def asked(site: LoadedSite, folder: Path, mode: Mode) -> set[str]:
    plan = planned(site, mode)
    job = Assignment("r1", 1, plan, site.topology, folder)
    tools = Tools(ROOT / "playbooks", ROOT / "drills/checks", consent_tcp=False)
    world = Recording(site, tools, SshSettings(folder / "c"), job, None)
    call = Call("any", 1, lambda: False)
    world.arm(call, plan, 1.0)
    world.snapshot(call, 1.0)
    world.disarm(call, plan)
    return world.asked


def test_a_run_on_the_site_asks_every_host_but_this_one(theirs: LoadedSite, tmp_path: Path) -> None:
    known = {*theirs.topology.host, *theirs.topology.router}
    assert asked(theirs, tmp_path, Mode.DRILL) == known - {HOST}


def test_a_rehearsal_asks_them_all(theirs: LoadedSite, tmp_path: Path) -> None:
    assert asked(theirs, tmp_path, Mode.REHEARSAL) == {*theirs.topology.host, *theirs.topology.router}


def test_it_is_no_target_of_ssh_and_has_no_program_of_the_sampler(theirs: LoadedSite) -> None:
    assert HOST not in ssh_targets(theirs)
    assert HOST in ssh_targets(theirs.simulated())
    assert sampler_request(theirs.topology, HOST, 1000, None) is None
    assert sampler_request(theirs.simulated().topology, HOST, 1000, None) is not None


@pytest.mark.parametrize("simulated", [True, False])
def test_the_sampler_listens_to_it_on_a_twin_only(site: Path, tmp_path: Path, *, simulated: bool) -> None:
    by_hand(site)
    wanted = SamplerRequest(site, ROOT, tmp_path, tmp_path / "alive", 1000, 1.0, SshSettings(tmp_path), simulated)
    wanted.write(tmp_path / "request.json")
    read = SamplerRequest.read(tmp_path / "request.json")
    loaded = load_site(read.site)
    listening = Listening(read, loaded.simulated() if read.simulated else loaded)
    heard = {feed._target.name for feed in listening._feeds}  # noqa: SLF001 - nothing is started
    listening._recording.close()  # noqa: SLF001 - nothing is started
    assert (HOST in heard) is simulated


def test_no_check_opens_a_shell_on_it(theirs: LoadedSite, tmp_path: Path) -> None:
    plan = planned(theirs, Mode.DRILL)
    expected = expect.baseline(plan, theirs.topology, Snapshot({}, {}))
    context = check_context(theirs, SshSettings(tmp_path), ROOT, "baselining", ["login"], expected, 1.0)
    assert HOST not in context.hosts
    assert HOST not in {item.host for item in context.gateways}
    assert {item.host for item in context.gateways} <= set(context.hosts)


def test_nothing_is_collected_from_it(theirs: LoadedSite, tmp_path: Path) -> None:
    gateways = [item for item in theirs.topology.gateways if item.host == HOST]
    wanted = Asked(Limits(whole=1000, host=1000, file=1000, host_deadline_s=1), b"key")
    nobody = SshSettings(tmp_path, connect_timeout_s=1)
    found = Collector(theirs, nobody, ROOT, wanted, NO_MASK, tmp_path).collect(gateways, lambda _: None)
    assert (len(gateways), found) == (1, [])


def test_adapters_take_their_hosts_from_one_place() -> None:
    """`secrets` reads names only: it hides them."""
    files = [path for path in (ROOT / "orchestrator/adapters").glob("*.py") if path.name != "secrets.py"]
    assert files
    assert [path.name for path in files if re.search(r"topology\.hosts\b", path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ("scriptable: false,", "expected hands, because it is not scriptable, found none"),
        ("hands: wang,", "expected no hands, because it is scriptable, found wang"),
    ],
)
def test_hands_stand_where_and_only_where_it_is_not_scriptable(site: Path, fields: str, wrong: str) -> None:
    line = by_hand(site, fields)
    said = message(site)
    assert f"topology.yml:{line}: hosts.1" in said
    assert wrong in said


@pytest.mark.parametrize("name", ["nobody", "chen"])
def test_hands_are_those_of_an_operator(site: Path, name: str) -> None:
    line = by_hand(site, f"scriptable: false, hands: {name},")
    wanted = f"topology.yml:{line}: hosts.1.hands: expected an operator of people.yml (li, wang), found '{name}'"
    assert wanted in message(site)


def test_a_wrong_inventory_is_one_error(site: Path) -> None:
    by_hand(site, "scriptable: perhaps,")
    with pytest.raises(DefinitionError, match=r"hosts\.1\.scriptable"):
        load_site(site)
