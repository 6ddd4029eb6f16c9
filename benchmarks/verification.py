"""How long ten testinfra checks of each of N hosts take, against one script with the same probes. On a twin.

`python -m benchmarks.verification [N …] [--json FILE]`. The checks are `benchmarks/suite/`, the same files for both
ways that run testinfra: files, processes, sockets, routes, log-in. None asks systemctl, which on a twin is a stand-in.

  ssh backend   testinfra as documented: pytest with `--hosts` and `--ssh-config`; at 10 and 50 hosts, with a deadline
  floor         one new ssh connection per host with one script of ten probes, 50 at once
  floor, armed  the same over the connections that a run has open when it verifies
  ours          `SiteWorld.check`, as the engine calls it: guard, pytest, JUnit, records; over the same connections

Floor, floor armed and ours are measured in turns; ratios are of one turn, and each number is the median of all turns.
At 50 hosts ours is measured once more with one host frozen and one silent.
"""

import argparse
import ctypes
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.ground import (
    LEASE_S,
    LONGEST_S,
    WAVE,
    Ground,
    end_all,
    need,
    said_inside,
    say,
    watch_over,
    write_hosts,
)
from benchmarks.ours import Declared
from benchmarks.table import Row, row, write
from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.ssh import SshSettings, SshTarget
from orchestrator.adapters.world import SiteWorld, Tools
from orchestrator.engine.expect import baseline
from orchestrator.journal import SqliteJournal
from orchestrator.loader.site import load_site
from orchestrator.model.drill import Check, FaultManner
from orchestrator.model.event import CheckRecord, CheckResult
from orchestrator.model.plan import Fault
from orchestrator.ports import Call, Snapshot
from orchestrator.twin import Twin
from orchestrator.wiring.places import Place, Places
from orchestrator.wiring.runs import new_run, open_run
from tests.support.twins import processes_under

SIZES = (10, 50, 100, 200)
TURNS = 3
SUITE = Path(__file__).with_name("suite")
CHECKS = (Check.CONFIGURATION, Check.PROCESS, Check.TCP, Check.SESSION, Check.LOGIN)
TESTS = 10  # of each host, in the files of these checks
SSH_BACKEND_AT = (10, 50)
SSH_BACKEND_S = 300.0  # our choice: the deadline of testinfra's own way
DEAD_AT = 50
CHECK_S = 60.0
TO_FLOOR = 1.5
FASTER_THAN_SSH_BACKEND = 10.0
SOURCE = "python -m benchmarks.verification"
_PR_SET_CHILD_SUBREAPER = 36
_TICKS = os.sysconf("SC_CLK_TCK")
# Each probe is what the check of the same place looks at; what testinfra asks to know the host comes on top for it.
SCRIPT = """\
LC_ALL=C; PATH=$PATH:/usr/sbin:/sbin; export LC_ALL PATH
at=/opt/nqtrade/{gateway}
test -f $at/etc/gateway.ini; echo "rc $?"
stat -c %U $at/etc/gateway.ini; echo "rc $?"
grep -qs -- ^Server1 $at/etc/gateway.ini; echo "rc $?"
ps -Aww -o comm:50,pcpu:50,pid:50,pmem:50,user:50,lstart,args; echo "rc $?"
cat $at/run/gateway-{gateway}.pid; echo "rc $?"
ss --numeric --listening; echo "rc $?"
ss --numeric --listening; echo "rc $?"
ip route get 172.60.101.30; echo "rc $?"
ss -tnH state established; echo "rc $?"
grep -qs -- ^logged_in=yes $at/run/status; echo "rc $?"
"""
_CONFTEST = """\
import json, types
from pathlib import Path
import pytest

GATEWAYS = json.loads(Path(__file__).with_name("gateways.json").read_text())

@pytest.fixture
def gateway(host):
    return types.SimpleNamespace(id=GATEWAYS[host.backend.get_hostname()])
"""


@dataclass(frozen=True)
class Taken:
    """One round of one way. `cpu_s`: of everything it started here; `hosts_cpu_s`: of everything on the hosts."""

    way: str
    wall_s: float
    cpu_s: float
    hosts_cpu_s: float
    finished: bool = True


@dataclass(frozen=True)
class Dead:
    """With one host frozen and one silent: until the last record of the others, and until the round was over."""

    others_s: float
    all_s: float


@dataclass(frozen=True)
class Measured:
    """Everything that was measured at one size."""

    size: int
    taken: Sequence[Taken]
    dead: Dead | None

    def turns(self, way: str) -> list[Taken]:
        return [item for item in self.taken if item.way == way]

    def wall_s(self, way: str) -> float:
        return statistics.median(item.wall_s for item in self.turns(way))

    def ratio(self, way: str, to: str, of: Callable[[Taken], float] = lambda item: item.wall_s) -> float:
        """Of each turn by itself, for a shared machine is not the same from one to the next."""
        pairs = zip(self.turns(way), self.turns(to), strict=True)
        return statistics.median(of(item) / of(other) for item, other in pairs)


def main(sizes: Sequence[int], file: Path | None) -> None:
    """A table per size; progress goes to standard error."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _told_to_end)
    rows: list[Row] = []
    for size in sizes:
        found = measure(size)
        rows += _rows(found)
        write(file, rows)
        print(_table(found), flush=True)


def _told_to_end(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def measure(size: int) -> Measured:
    """On a twin of its own, which is down afterwards."""
    with tempfile.TemporaryDirectory(prefix="drillctl-verification-") as scratch:
        site = load_site(write_hosts(Path(scratch), size))
        twin = Twin.up(site, lease_s=LEASE_S)
        try:
            say(f"{size} hosts: twin {twin.name} is up")
            words = [sys.executable, "-m", "benchmarks.verification", "--inside", twin.name, str(site.folder), scratch]
            found = json.loads(said_inside(words).splitlines()[-1])
        finally:
            end_all(twin)
            twin.down()
    return Measured(size, [Taken(**item) for item in found["taken"]], Dead(**found["dead"]) if found["dead"] else None)


def inside(name: str, folder: Path, scratch: Path) -> None:
    """Measure every way and print it as one line of JSON. The process stands where the controller of the twin does."""
    ground = Ground.enter(name, folder, scratch)
    watch_over(ground)
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # a guard has no parent: its time is counted here
    ground.until_logged_in()
    size = len(ground.moves)
    bench = Bench(ground)
    taken = [item for turn in range(TURNS) for item in bench.turn(turn)]
    if size in SSH_BACKEND_AT:
        taken.append(bench.ssh_backend())
    dead = bench.dead() if size == DEAD_AT else None
    bench.close()
    print(json.dumps({"taken": [asdict(item) for item in taken], "dead": asdict(dead) if dead else None}))


class Bench:
    """One run on one twin, with its connections open as arming leaves them."""

    def __init__(self, ground: Ground) -> None:
        self.twin, self.scratch = ground.twin, ground.scratch
        self.gateway_on = {move.host: move.gateway for move in ground.moves}
        self.targets = {name: item for name, item in ground.targets.items() if name in self.gateway_on}
        self.journal = SqliteJournal(ground.scratch / "journal.db", SystemClock())
        places = Places()
        run = ground.scratch / "reports" / new_run(places, ground.plan, "Asia/Shanghai").name
        place = Place.of(ground.twin, owned=False)
        self.run = open_run(self.journal, ground.site, ground.plan, run, "bench", place)
        self.ssh = ground.twin.ssh_settings(run.name)
        tools = Tools(places.playbooks, SUITE, consent_tcp=True)
        self.world = SiteWorld(self.run.site, tools, self.ssh, self.run.job, Declared(ground.twin, ()))
        self.expected = baseline(ground.plan, ground.site.topology, Snapshot(gateways={}, routers={}))
        self._at_once("true", armed=True)

    def turn(self, number: int) -> Iterator[Taken]:
        """Each way once."""
        for way, act in (
            ("floor", lambda: self._floor(armed=False)),
            ("floor, armed", lambda: self._floor(armed=True)),
            ("ours", lambda: self._ours(number + 1)),
        ):
            found = self._taken(way, act)
            say(f"  turn {number + 1}: {_line(found)}")
            yield found

    def ssh_backend(self) -> Taken:
        """As documented: every command is an ssh connection of its own."""
        suite = self._documented_suite()
        config = self._ssh_config()
        hosts = ",".join(f"ssh://{name}" for name in self.targets)
        words = [sys.executable, "-m", "pytest", "-q", "-p", "testinfra.plugin", "-p", "no:cacheprovider"]
        words += ["--import-mode=importlib", "-c", str(suite / "pytest.ini"), "--rootdir", str(suite)]
        words += [f"--hosts={hosts}", f"--ssh-config={config}", f"--junitxml={self.scratch / 'ssh.xml'}", str(suite)]
        finished = True

        def act() -> None:
            nonlocal finished
            finished = _to_the_end(words, SSH_BACKEND_S)

        found = self._taken("ssh backend", act)
        found = Taken(found.way, found.wall_s, found.cpu_s, found.hosts_cpu_s, finished)
        say(f"  {_line(found)}")
        return found

    def dead(self) -> Dead:
        """After arming one host freezes, and nothing reaches another any more."""
        frozen, silent, *others = self.targets
        self.twin.sabotage("freeze_host", host=frozen)
        self.twin.inject(Fault(manner=FaultManner.DARK, hosts=(silent,)), LONGEST_S)
        call, ended = Call("dead", 1), threading.Event()
        results = self.run.job.folder / "steps" / call.name / "results.jsonl"
        began, seen_at = time.monotonic(), [float("nan")]

        def watch() -> None:
            while not ended.wait(0.02):
                if _records_of(results, others) == len(others) * TESTS:
                    seen_at[0] = time.monotonic()
                    return

        with ThreadPoolExecutor(1) as watching:
            watching.submit(watch)
            records = self._check(call)
            all_s = time.monotonic() - began
            ended.set()
        self.twin.sabotage("thaw_host", host=frozen)
        could_not = {item.host for item in records if item.could_not_look}
        need(could_not == {frozen, silent}, f"two hosts that could not be looked at, found {sorted(could_not)}")
        return Dead(seen_at[0] - began, all_s)

    def close(self) -> None:
        """Leave no connection behind."""
        self.world.close()
        self.journal.close()

    def _taken(self, way: str, act: Callable[[], object]) -> Taken:
        cpu_s, hosts_cpu_s, began = _own_cpu_s(), self._hosts_cpu_s(), time.monotonic()
        act()
        wall_s = time.monotonic() - began
        return Taken(way, wall_s, _own_cpu_s() - cpu_s, self._hosts_cpu_s() - hosts_cpu_s)

    def _hosts_cpu_s(self) -> float:
        return sum(map(_cpu_s, processes_under(self.twin)))

    def _ours(self, attempt: int) -> None:
        records = self._check(Call("verify", attempt))
        wrong = [item for item in records if item.result is not CheckResult.NORMAL]
        need(len(records) == len(self.targets) * len(CHECKS) and not wrong, f"every check normal, found {wrong[:2]}")

    def _check(self, call: Call) -> Sequence[CheckRecord]:
        return self.world.check(call, call.name, CHECKS, self.expected, CHECK_S)

    # -- the floor ------------------------------------------------------------------------------------

    def _floor(self, *, armed: bool) -> None:
        for said in self._at_once(SCRIPT, armed=armed):
            need(said.count("rc 0\n") == TESTS, f"{TESTS} probes that succeed, found: {said[-300:]}")

    def _at_once(self, script: str, *, armed: bool) -> list[str]:
        with ThreadPoolExecutor(WAVE) as pool:
            return list(pool.map(lambda target: self._script(target, script, armed=armed), self.targets.values()))

    def _script(self, target: SshTarget, script: str, *, armed: bool) -> str:
        alone = [] if armed else ["-o", "ControlMaster=no", "-o", "ControlPath=none"]
        patient = ("-o", f"ConnectTimeout={LONGEST_S}")  # the first value counts
        words = ["ssh", "-T", *patient, *alone, *self.ssh.options(), *target.destination, "exec /bin/sh"]
        text = script.replace("{gateway}", self.gateway_on[target.name])
        with tempfile.TemporaryFile() as errors:  # no pipe: a connection that is kept open would hold it
            done = subprocess.run(
                words, input=text, stdout=subprocess.PIPE, stderr=errors, text=True, timeout=LONGEST_S, check=False
            )
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip()
        need(done.returncode == 0, f"a connection to {target.name}, found exit status {done.returncode}: {said}")
        return done.stdout

    # -- testinfra's own way --------------------------------------------------------------------------

    def _documented_suite(self) -> Path:
        suite = self.scratch / "documented"
        shutil.copytree(SUITE, suite, ignore=shutil.ignore_patterns("__pycache__"))
        (suite / "conftest.py").write_text(_CONFTEST, encoding="utf-8")
        (suite / "gateways.json").write_text(json.dumps(self.gateway_on), encoding="utf-8")
        (suite / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        return suite

    def _ssh_config(self) -> Path:
        config = self.scratch / "ssh_config"
        config.write_text("".join(_ssh_config_of(item, self.ssh) for item in self.targets.values()), encoding="utf-8")
        return config


def _ssh_config_of(target: SshTarget, ssh: SshSettings) -> str:
    return (
        f"Host {target.name}\n  HostName {target.address}\n  Port {target.port}\n  User {target.user}\n"
        f"  IdentityFile {ssh.private_key}\n  IdentitiesOnly yes\n  BatchMode yes\n"
        f"  UserKnownHostsFile {ssh.known_hosts}\n  GlobalKnownHostsFile /dev/null\n"
    )


def _to_the_end(words: Sequence[str], deadline_s: float) -> bool:
    """Whether it came to its end; or it is ended at the deadline, with what it has started."""
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, env=env, start_new_session=True)
    try:
        code = process.wait(deadline_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False
    need(code == 0, f"testinfra's own way to pass, found exit status {code}")
    return True


def _records_of(results: Path, hosts: Sequence[str]) -> int:
    """Lines that are there for these hosts."""
    if not results.exists():
        return 0
    wanted = frozenset(hosts)
    lines = results.read_text(encoding="utf-8").splitlines(keepends=True)
    return sum(json.loads(line)["host"] in wanted for line in lines if line.endswith("\n"))


def _own_cpu_s() -> float:
    """Of this process and of all that it has begun and that has ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(item.ru_utime + item.ru_stime for item in used)


def _cpu_s(pid: int) -> float:
    """Of a process and of its children that have ended; 0 where it is gone: its parent has it."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS  # proc(5): utime, stime, cutime, cstime


# -- what is told -------------------------------------------------------------------------------------


def _line(item: Taken) -> str:
    text = f"{item.way:14} {item.wall_s:7.2f} s   CPU {item.cpu_s:6.2f} s here, {item.hosts_cpu_s:6.2f} s on hosts"
    return text if item.finished else f"{text}   ended at its deadline"


def _ways(found: Measured) -> list[str]:
    return list(dict.fromkeys(item.way for item in found.taken))


def _median(found: Measured, way: str) -> Taken:
    turns = found.turns(way)
    wall_s, cpu_s, hosts_cpu_s = (
        statistics.median(of) for of in zip(*((i.wall_s, i.cpu_s, i.hosts_cpu_s) for i in turns), strict=True)
    )
    return Taken(way, wall_s, cpu_s, hosts_cpu_s, finished=all(item.finished for item in turns))


def _table(found: Measured) -> str:
    lines = [f"{found.size} hosts, {TESTS} checks each, {TURNS} turns"]
    lines += ["  " + _line(_median(found, way)) for way in _ways(found)]
    for to in ("floor", "floor, armed"):
        wall, cpu = found.ratio("ours", to), found.ratio("ours", to, _all_cpu_s)
        lines.append(f"  ours to {to + ':':14} {wall:5.2f}× in time, {cpu:5.2f}× in CPU time")
    if "ssh backend" in _ways(found):
        lines.append(f"  {_times(found)}")
    if found.dead:
        lines.append(
            f"  one frozen, one silent: the others' results after {found.dead.others_s:.2f} s, "
            f"the round {found.dead.all_s:.2f} s"
        )
    return "\n".join(lines)


def _all_cpu_s(item: Taken) -> float:
    return item.cpu_s + item.hosts_cpu_s


def _times(found: Measured) -> str:
    (slow,) = found.turns("ssh backend")
    least = "" if slow.finished else "more than "
    return f"ours is {least}{slow.wall_s / found.wall_s('ours'):.1f} times as fast as the ssh backend"


def _rows(found: Measured) -> Iterator[Row]:
    at = f"{found.size} hosts × {TESTS} checks"
    for way in _ways(found):
        item = _median(found, way)
        yield row(f"{at}: {way}" + ("" if item.finished else ", ended at its deadline"), item.wall_s, "s", SOURCE)
    limit = TO_FLOOR if found.size == DEAD_AT else None
    yield row(f"{at}: ours, times floor", found.ratio("ours", "floor"), "×", SOURCE, limit)
    yield row(f"{at}: ours, times floor armed", found.ratio("ours", "floor, armed"), "×", SOURCE)
    yield row(f"{at}: ours, CPU, times floor armed", found.ratio("ours", "floor, armed", _all_cpu_s), "×", SOURCE)
    for slow in found.turns("ssh backend"):
        share = found.wall_s("ours") / slow.wall_s
        yield row(f"{at}: ours, share of the ssh backend's time", share, "×", SOURCE, 1 / FASTER_THAN_SSH_BACKEND)
    if found.dead:
        yield row(f"{at}, one frozen, one silent: results of the others", found.dead.others_s, "s", SOURCE)
        yield row(f"{at}, one frozen, one silent: the round", found.dead.all_s, "s", SOURCE)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verification", allow_abbrev=False)
    parser.add_argument("sizes", metavar="N", type=int, nargs="*", default=list(SIZES), help="hosts, even numbers")
    parser.add_argument("--json", metavar="FILE", type=Path, help="where the rows go")
    return parser.parse_args()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
    else:
        given = _arguments()
        main(given.sizes, given.json)
