"""What every way of switching is measured on: a twin of N gateway hosts, its plan, and the fronts' own record.

Nothing outside the twin is reached: whoever measures stands in the controller's namespace of the twin, and so does
all that it starts. What stands there is of the measurement alone, and is ended with it.
"""

import os
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from select import select
from typing import Any

import yaml

from orchestrator.adapters.gateway_spec import gateway_spec
from orchestrator.adapters.sampler import Sampler
from orchestrator.adapters.ssh import SshSettings, SshTarget, ssh_targets
from orchestrator.guarding.processes import Process, below, find, sweep
from orchestrator.loader.drill import load_drill
from orchestrator.loader.site import LoadedSite, load_site
from orchestrator.model.drill import Mode, Response
from orchestrator.model.plan import Action, GatewayChange, Plan, Verb
from orchestrator.planner import Request, make_plan
from orchestrator.twin import Twin
from orchestrator.wiring.places import Places
from tests.support.sites import SiteSpec, write_site
from tests.support.twins import until

WAVE = 50  # our choice: of a site of hundreds
LEASE_S = 120.0  # our choice: how long a twin outlives a measurement that was killed with its keeper
LONGEST_S = 120
_KEEP_EVERY_S = 20.0
_LOOK_S = 0.05
_END_S = 10.0  # our choice: for what stands in the twin to end by itself
_PROBE_EVERY_S = 5.0  # our choice: a namespace is inherited, so that one look would do


def need(holds: bool, expected: str) -> None:
    """Or nothing was measured."""
    if not holds:
        raise SystemExit(f"expected {expected}")


def say(text: str) -> None:
    """Progress; the table and the rows are on standard output."""
    print(text, file=sys.stderr, flush=True)


# -- the site -----------------------------------------------------------------------------------------


def write_hosts(scratch: Path, size: int) -> Path:
    """One trading gateway a host, every list Futian first: all of them have to move."""
    half = size // 2
    folder = write_site(scratch, SiteSpec(classes=("trading",), pairs=half, hosts=half, wave=WAVE))
    file = folder / "topology.yml"
    data = yaml.safe_load(file.read_text(encoding="utf-8"))
    for gateway in data["gateways"]:
        gateway["servers"] = ["futian-trading", "southern-trading"]
    file.write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return folder


@dataclass(frozen=True)
class Move:
    """One gateway that is to move, as who does it by hand would know it."""

    gateway: str
    number: str
    host: str
    wave: int
    spec: Mapping[str, Any]
    before: Sequence[str]
    after: Sequence[str]


@dataclass(frozen=True)
class Ground:
    """A twin, what is to move in it, and how its hosts are reached."""

    twin: Twin
    site: LoadedSite
    plan: Plan
    waves: Sequence[Sequence[Move]]
    scratch: Path
    targets: Mapping[str, SshTarget]

    @classmethod
    def enter(cls, name: str, folder: Path, scratch: Path) -> "Ground":
        """From here on this process, and what it starts, reaches nothing but the twin."""
        site, twin = load_site(folder), Twin.find(name)
        twin.enter()
        plan = _plan(site)
        changes = {change.gateway: change for change in plan.gateways if change.action is Action.REPOINT}
        steps = [step for step in plan.steps if step.verb is Verb.REPOINT]
        waves = [
            [_move(site, changes[target.name], number) for target in step.targets]
            for number, step in enumerate(steps, 1)
        ]
        return cls(twin, site, plan, waves, scratch, ssh_targets(site))

    @property
    def moves(self) -> list[Move]:
        return [move for wave in self.waves for move in wave]

    def ssh(self, what: str) -> SshSettings:
        """Settings with connections of their own, so that no way finds those of another."""
        return self.twin.ssh_settings(f"{what}-{time.time_ns()}")

    def until_logged_in(self) -> None:
        total = len(self.site.topology.gateways)
        until(lambda: len(self.twin.truth()["current"]) == total, LONGEST_S)


def _plan(site: LoadedSite) -> Plan:
    drill = load_drill(Places().drills, "single-centre-failure")
    today = datetime.now(UTC).date()
    return make_plan(site.topology, site.digest, drill, Request(Mode.REHEARSAL, today, {}, Response.REPOINT))


def _move(site: LoadedSite, change: GatewayChange, wave: int) -> Move:
    topology = site.topology
    before, after = (
        [topology.front[name].endpoint for name in names] for names in (change.list_before, change.list_after)
    )
    spec = gateway_spec(topology, topology.gateway[change.gateway])
    return Move(change.gateway, change.number, change.host, wave, spec, before, after)


# -- the fronts' record -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Taken:
    """`all_s`: from the start until the last of these gateways was logged in. `outages_s`: log-out to log-in of each.

    By the fronts. `missing`: gateways that were not logged in again in the time that was given.
    """

    all_s: float
    outages_s: Sequence[float]
    missing: int = 0

    @property
    def median_ms(self) -> float:
        return statistics.median(self.outages_s) * 1000 if self.outages_s else float("nan")

    @property
    def longest_ms(self) -> float:
        return max(self.outages_s, default=float("nan")) * 1000


def taken(ground: Ground, began: float, ended: float, among: Sequence[Move] | None = None) -> Taken:
    """What the fronts saw of these gateways (by default all that move) between two times: the last log-in of each
    number, and its log-out before. No number and no certificate may have been logged in twice.
    """
    truth = ground.twin.truth()
    twice = truth["duplicates"] + truth["shared_certificates"]
    need(twice == 0, f"no number and no certificate logged in twice, found {twice}")
    login = {item["number"]: item["at"] for item in truth["logins"] if item["accepted"] and began <= item["at"] < ended}
    logout = {item["number"]: item["at"] for item in truth["logouts"] if began <= item["at"] < ended}
    numbers = {move.number for move in among or ground.moves}
    back = [name for name in numbers if name in login and name in logout and login[name] > logout[name]]
    last = max((login[name] for name in back), default=float("nan"))
    return Taken(last - began, [login[name] - logout[name] for name in back], len(numbers) - len(back))


# -- what stands in the twin's namespace --------------------------------------------------------------


def standing_in(twin: Twin) -> Iterator[Process]:
    """Every process of ours in the controller's namespace of the twin, but the caller."""
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        process = find(pid) if pid != os.getpid() and stands_in(twin, pid) else None
        if process:
            yield process


def stands_in(twin: Twin, pid: int) -> bool:
    """Processes of the twin itself have process ids of their own, and do not count."""
    network = _identity(f"/proc/{twin.pid}/ns/net")
    found = (_identity(f"/proc/{pid}/ns/net"), _identity(f"/proc/{pid}/ns/pid"))
    return network is not None and found == (network, _identity("/proc/self/ns/pid"))


def _identity(path: str) -> int | None:
    """None: its process is gone."""
    try:
        return os.stat(path).st_ino  # noqa: PTH116 - hundreds of them are asked for while others are measured
    except OSError:
        return None


def need_inside() -> None:
    """Everything that this process has started stands in the twin with it."""
    own = _identity("/proc/self/ns/net")
    strangers = [item for item in below(os.getpid()) if _identity(f"/proc/{item.pid}/ns/net") not in (own, None)]
    need(not strangers, f"every process to stand in the twin, found {strangers} outside")


def end_all(twin: Twin) -> None:
    """End what is left of a measurement; nothing else stands there."""
    left = sweep(lambda: standing_in(twin))
    need(not left, f"every process of the measurement to end, found {left}")


@contextmanager
def tidy(twin: Twin) -> Iterator[None]:
    """What is begun in here ends here, connections that a program leaves open too."""
    before = {process.pid for process in standing_in(twin)}
    try:
        yield
    finally:
        sweep(lambda: (process for process in standing_in(twin) if process.pid not in before))


def said_inside(words: Sequence[str]) -> str:
    """What the part of a measurement says that stands in the twin. It ends when its standard input does."""
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        said = process.stdout.read() if process.stdout else ""
        need(process.wait() == 0, f"the measurement to end well, found exit {process.returncode}")
    finally:
        if process.stdin:
            process.stdin.close()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return said


def watch_over(ground: Ground) -> None:
    """Keep the twin alive as long as whoever began this measurement lives; then end everything, and it.

    That one holds the other end of our standard input.
    """
    threading.Thread(target=_watch, args=(ground,), name="watch", daemon=True).start()


def _watch(ground: Ground) -> None:
    while not select([0], [], [], _KEEP_EVERY_S)[0] or os.read(0, 1):
        ground.twin.keep()
    sweep(lambda: standing_in(ground.twin))
    ground.twin.down()
    shutil.rmtree(ground.scratch, ignore_errors=True)
    os._exit(1)


def run_program(
    ground: Ground, words: Sequence[str], environment: Mapping[str, str], log: Path, deadline_s: float
) -> int | None:
    """Run another program in the twin; its exit status, None: it did not end in time and was ended."""
    give_up = time.monotonic() + deadline_s
    probe_at = time.monotonic() + 1.0
    with log.open("wb") as said:
        process = subprocess.Popen(
            words, cwd=ground.scratch, env=dict(environment), stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        while process.poll() is None:
            now = time.monotonic()
            if now > probe_at:
                need_inside()
                probe_at = now + _PROBE_EVERY_S
            if now > give_up:
                process.send_signal(signal.SIGTERM)  # `tidy` insists
                _wait(process)
                return None
            time.sleep(_LOOK_S)
    return process.returncode


def _wait(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def sampled(ground: Ground) -> Iterator[Callable[[], None]]:
    """The sampler of a run is at work: the same process, hosts and interval, with the same reader in here. What is
    yielded proves it.
    """
    folder = ground.scratch / "sampled"
    folder.mkdir()
    ssh = ground.ssh("sampled")
    site = ground.site.simulated()
    sampler = Sampler(site, ssh, Places().playbooks / "onhost", folder, site.topology.site.sample_interval_ms).start()
    total = len(site.topology.gateways)

    def prove() -> None:
        heard = sampler.wait_for(lambda: len(sampler.latest()) == total, LONGEST_S)
        need(heard, f"every one of {total} gateways sampled, found {len(sampler.latest())}")

    try:
        prove()
        yield prove
    finally:
        sampler.stop()
        ssh.close(ground.site)
