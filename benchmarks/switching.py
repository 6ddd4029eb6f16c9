"""How long it takes to move the gateways of N hosts, against the floor of parallel ssh. On a twin made for it.

`python -m benchmarks.switching [N …]`. Gateways are moved while they are logged in: the fault is declared and nobody
makes it, so that what is measured is ours and not an exchange's release time. Every way has the same waves, the same
program with the same proofs on the hosts, and the fronts' own record as its clock:

  floor         one new ssh connection per host, all of a wave at once, no controller behind it
  floor, armed  the same over connections that are open already
  ours          an engine with journal, interlocks and sampler: from `switching` to the last gateway logged in
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.gateway_spec import gateway_spec
from orchestrator.adapters.ssh import SshSettings, ssh_targets
from orchestrator.adapters.world import SiteWorld, Tools
from orchestrator.engine.run import End, Engine
from orchestrator.history import epoch_s
from orchestrator.journal import SqliteJournal
from orchestrator.loader.drill import load_drill
from orchestrator.loader.site import LoadedSite, load_site
from orchestrator.model.drill import Mode, Response
from orchestrator.model.event import EventKind
from orchestrator.model.plan import Action, Fault, GatewayChange, Plan, Verb
from orchestrator.planner import Request, make_plan
from orchestrator.twin import Twin
from orchestrator.wiring.places import Place, Places
from orchestrator.wiring.runs import new_run, open_run
from playbooks import onhost_program
from tests.support.sites import SiteSpec, write_site
from tests.support.twins import until

WAVE = 50  # our choice: of a site of hundreds
LONGEST_S = 120


@dataclass(frozen=True)
class Taken:
    """`all_s`: until the last gateway was logged in; `outages_s`: log-out to log-in of each, by the fronts."""

    way: str
    all_s: float
    outages_s: Sequence[float]

    def line(self, floor_s: float) -> str:
        median, longest = statistics.median(self.outages_s) * 1000, max(self.outages_s) * 1000
        share = f"{self.all_s / floor_s:5.2f}×"
        return f"  {self.way:14} {self.all_s:7.2f} s {share}   outage {median:6.0f} ms median {longest:7.0f} ms longest"


class Declared:
    """A fault that people have declared and nobody has made."""

    def inject(self, fault: Fault, lease_s: float, run: str, epoch: int) -> None: ...

    def lift(self, fault: Fault, run: str, epoch: int) -> None: ...

    def renew(self, run: str, epoch: int) -> None: ...

    def is_on(self, fault: Fault, run: str, epoch: int) -> bool:  # noqa: ARG002
        return True


def main(sizes: Sequence[int]) -> None:
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="drillctl-switching-") as scratch:
            _measure(size, Path(scratch))


def _measure(size: int, scratch: Path) -> None:
    site = load_site(_site(scratch, size))
    began = time.monotonic()
    twin = Twin.up(site)
    up_s = time.monotonic() - began
    try:
        print(f"{size} hosts, waves of {WAVE}; twin up in {up_s:.1f} s", flush=True)
        taken = json.loads(_inside(twin, site, scratch))
        floor_s = taken[0]["all_s"]
        for item in taken:
            print(Taken(**item).line(floor_s), flush=True)
    finally:
        began = time.monotonic()
        twin.down()
        print(f"  twin down in {time.monotonic() - began:.1f} s", flush=True)


def _site(scratch: Path, size: int) -> Path:
    """One trading gateway a host, every list Futian first: all of them have to move."""
    half = size // 2
    folder = write_site(scratch, SiteSpec(classes=("trading",), pairs=half, hosts=half, wave=WAVE))
    file = folder / "topology.yml"
    data = yaml.safe_load(file.read_text(encoding="utf-8"))
    for gateway in data["gateways"]:
        gateway["servers"] = ["futian-trading", "southern-trading"]
    file.write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return folder


def _inside(twin: Twin, site: LoadedSite, scratch: Path) -> str:
    """The measuring process stands where the controller of the twin does."""
    words = [sys.executable, "-m", "benchmarks.switching", "--inside", twin.name, str(site.folder), str(scratch)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, timeout=1800, check=True)
    return done.stdout.splitlines()[-1]


def inside(name: str, folder: Path, scratch: Path) -> None:
    site, twin = load_site(folder), Twin.find(name)
    twin.enter()
    total = len(site.topology.gateways)
    until(lambda: len(twin.truth()["current"]) == total, LONGEST_S)
    plan = _plan(site)
    found = [_floor(twin, site, plan, armed=False), _floor(twin, site, plan, armed=True)]
    found.append(_ours(twin, site, plan, scratch))
    print(json.dumps([{"way": item.way, "all_s": item.all_s, "outages_s": list(item.outages_s)} for item in found]))


def _plan(site: LoadedSite) -> Plan:
    drill = load_drill(Places().drills, "single-centre-failure")
    today = datetime.now(UTC).date()
    return make_plan(site.topology, site.digest, drill, Request(Mode.REHEARSAL, today, {}, Response.REPOINT))


# -- ours ---------------------------------------------------------------------------------------------


def _ours(twin: Twin, site: LoadedSite, plan: Plan, scratch: Path) -> Taken:
    clock = SystemClock()
    journal = SqliteJournal(scratch / "journal.db", clock)
    places = Places()
    place = Place.of(twin, owned=False)
    folder = scratch / "reports" / new_run(places, plan, "Asia/Shanghai").name
    opened = open_run(journal, site, plan, folder, "bench", place)
    tools = Tools(places.playbooks, places.drills / "checks", consent_tcp=True)
    world = SiteWorld(opened.site, tools, twin.ssh_settings(folder.name), opened.job, Declared())
    end = Engine(opened.job, world, journal, clock).run()
    _need(end is End.CLOSED, f"the run to be closed, found {end}")
    events = journal.events(folder.name)
    state = {item.data["state"]: epoch_s(item) for item in events if item.kind is EventKind.STATE}
    journal.close()
    return _taken("ours", twin, plan, state["switching"], state["restoring"])


def _taken(way: str, twin: Twin, plan: Plan, began: float, until_at: float) -> Taken:
    """By the fronts: the last log-in of each number in this time, and its log-out before."""
    truth = twin.truth()
    _need(truth["duplicates"] + truth["shared_certificates"] == 0, "no number and no certificate logged in twice")
    numbers = {change.number for change in plan.gateways if change.action is Action.REPOINT}
    login = {
        item["number"]: item["at"] for item in truth["logins"] if item["accepted"] and began <= item["at"] < until_at
    }
    logout = {item["number"]: item["at"] for item in truth["logouts"] if began <= item["at"] < until_at}
    _need(
        numbers == login.keys() == logout.keys(),
        f"{len(numbers)} moved, found {len(login)} logged in and {len(logout)} out",
    )
    return Taken(way, max(login.values()) - began, [login[name] - logout[name] for name in numbers])


def _all_well(answers: Iterable[Mapping[str, Any]]) -> None:
    bad = [str(item["message"]) for item in answers if not item["ok"]]
    _need(not bad, f"every host to have done it, found {bad[:3]}")


def _need(holds: bool, expected: str) -> None:
    """Or nothing was measured."""
    if not holds:
        raise SystemExit(f"expected {expected}")


# -- the floor ----------------------------------------------------------------------------------------


def _floor(twin: Twin, site: LoadedSite, plan: Plan, *, armed: bool) -> Taken:
    """There, and back again so that the next one finds the same."""
    run = f"floor-{time.time_ns()}"
    ssh = twin.ssh_settings(run)
    moves = [change for change in plan.gateways if change.action is Action.REPOINT]
    waves = [_wave_of(moves, step.targets) for step in plan.steps if step.verb is Verb.REPOINT]
    ask = _asker(site, ssh, run, keep=armed)
    with ThreadPoolExecutor(WAVE) as pool:
        found = {
            name: item for wave in waves for name, item in zip(wave, pool.map(ask("preflight"), wave), strict=True)
        }
        _all_well(found.values())
        state = {
            change: item for wave in waves for change, item in zip(wave, pool.map(ask("state"), wave), strict=True)
        }
        digests = {change.gateway: item["sha256_before"] for change, item in state.items()}
        began = time.time()
        for wave in waves:
            done = list(pool.map(ask("repoint", digests), wave))
            _all_well(done)
        ended = time.time()
        result = _taken("floor, armed" if armed else "floor", twin, plan, began, ended)
        written = {item["gateway"]: item["sha256_after"] for wave in waves for item in pool.map(ask("state"), wave)}
        for wave in waves:
            done = list(pool.map(ask("restore", written, digests), wave))
            _all_well(done)
            list(pool.map(ask("cleanup"), wave))
    ssh.close(site)
    return result


def _wave_of(moves: Sequence[GatewayChange], targets: Sequence[Any]) -> list[GatewayChange]:
    by_name = {change.gateway: change for change in moves}
    return [by_name[target.name] for target in targets]


def _asker(
    site: LoadedSite, ssh: SshSettings, run: str, *, keep: bool
) -> Callable[..., Callable[[GatewayChange], dict[str, Any]]]:
    targets = ssh_targets(site)
    options = ssh.options()
    alone = [] if keep else ["-o", "ControlMaster=no", "-o", "ControlPath=none"]

    def ask(
        op: str, expected: Any = MappingProxyType({}), back: Any = MappingProxyType({})
    ) -> Callable[[GatewayChange], dict[str, Any]]:
        def one(change: GatewayChange) -> dict[str, Any]:
            target = targets[change.host]
            now = time.time()
            request: dict[str, Any] = {
                "op": op,
                "run": run,
                "token": 1,
                "sequence": int(now * 1e6),
                "deadline_s": 60,
                "deadline_at": now + 60,
                "gateway": gateway_spec(site.topology, site.topology.gateway[change.gateway]),
            }
            if change.gateway in expected:
                request |= {"expected_sha256": expected[change.gateway], "rollback": op == "repoint"}
                request |= {"attempt_of": {"run": run, "step": op, "attempt": 1}}
            if op == "repoint":
                request["endpoints"] = [site.topology.front[name].endpoint for name in change.list_after]
            if op == "restore":
                request["endpoints"] = [site.topology.front[name].endpoint for name in change.list_before]
                request["restore_sha256"] = back[change.gateway]
            program = onhost_program.program("gateway", {"requests": [request]})
            line = f"{target.interpreter} -I -S -"
            words = ["ssh", *alone, *options, *target.destination, line]
            done = subprocess.run(words, input=program, capture_output=True, timeout=LONGEST_S, check=False)
            answer = onhost_program.answer(done.stdout.decode())
            if answer is None:
                return {"ok": False, "message": done.stderr.decode()[-300:], "gateway": change.gateway}
            return dict(answer["results"][0])

        return one

    return ask


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
    else:
        main([int(word) for word in sys.argv[1:]] or [10, 50])
