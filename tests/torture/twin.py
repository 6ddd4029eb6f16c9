"""Kills and freezes everything that takes part in a run on a twin: real processes, real sshd, real Ansible.

One twin serves many runs. Each run is hurt several times, at step boundaries and in mid-step, and resumed until
it is closed or waits for a named decision. Then the fronts' ground truth, the hosts and this machine are examined.
"""

import json
import os
import random
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from orchestrator.adapters.gateway_spec import gateway_spec
from orchestrator.evidence.names import PACK
from orchestrator.evidence.verify import verify_pack
from orchestrator.journal import chain_is_valid
from orchestrator.loader.site import load_site
from orchestrator.model.event import Event, EventKind
from orchestrator.twin import Twin
from tests.support.signers import Signers
from tests.support.sites import EVERYBODY, ROOT, SiteSpec, write_calendar, write_site
from tests.support.twins import Shell

RELEASE_S = 6.0  # of the simulated fronts: short for a short run, long enough for a busy machine
LOOK_S = 0.03
STEP_S = 90.0  # longest wait for something that has to come
FROZEN_S = 3.0  # how long a host or a process of the run stays frozen
SEED = 20261122
SCENES = (
    ("single-centre-failure", "--set", "centre=futian", "--response", "repoint"),
    ("single-centre-failure", "--set", "centre=southern", "--response", "repoint"),
    ("single-carrier-failure", "--set", "carrier=alpha"),
    ("gateway-host-failure", "--set", "host=node0-trading-0"),
)
_OPERATOR, _APPROVER = str(EVERYBODY["id"]), "chen"
_CHANGING = ("repoint", "restore", "restart", "take_over", "give_back", "unfence")


@dataclass
class Tally:
    """What was done and what came of it. `wrong` holds one line per broken promise."""

    nights: int = 0
    hurts: Counter[str] = field(default_factory=Counter)
    resumes: int = 0
    closed: int = 0
    passed: int = 0
    waiting: int = 0
    duplicates: int = 0
    repeated: int = 0
    leftovers: int = 0
    wrong: list[str] = field(default_factory=list)


@dataclass
class Night:
    """One run on the twin and everybody who has been at work on it."""

    stage: "Stage"
    scene: tuple[str, ...]
    dice: random.Random
    tally: Tally
    run: str = ""
    process: subprocess.Popen[str] | None = None
    story: list[str] = field(default_factory=list)
    frozen: list[subprocess.Popen[str]] = field(default_factory=list)
    by_hand: Counter[str] = field(default_factory=Counter)  # gateway number → starts by the person who was called

    def play(self, hurts: int) -> None:
        before = self.stage.instances()
        since = len(self.stage.truth()["logins"])
        try:
            self._begin()
            if self.dice.random() < 0.75:  # most of it while something is changed
                self._until(self._is_touched, "the fault is on")
            for _ in range(hurts):
                if not self._hurt():
                    break
            code = self._to_the_end()
        finally:
            self._end_all()
        self._examine(before, since, code)

    # -- orchestrators --------------------------------------------------------------------------------

    def _begin(self) -> None:
        known = set(self.stage.runs())
        self.process = self.stage.begin(self.scene)
        self._until(lambda: set(self.stage.runs()) - known, "the run is opened")
        self.run = (set(self.stage.runs()) - known).pop()

    def _resume(self) -> None:
        self.tally.resumes += 1
        epoch = self.stage.state(self.run)["epoch"]
        self.process = self.stage.drillctl("resume", self.run)
        process = self.process
        self._until(lambda: process.poll() is not None or self.stage.state(self.run)["epoch"] > epoch, "taken over")

    def _to_the_end(self) -> int:
        """Resume until it is closed, or until it asks for a person three times in vain. The last exit code."""
        code = self._left()
        for _ in range(2):
            if self.stage.state(self.run)["status"] == "closed":
                break
            if code == 5:
                self._answer()
            self._resume()
            code = self._left()
        return code

    def _left(self) -> int:
        """Exit code of the orchestrator that is at work, once it has left."""
        assert self.process is not None
        code = self._exit_code(self.process)
        self.story.append(f"exit {code}")
        return code

    def _answer(self) -> None:
        """Whoever is called starts by hand what went elsewhere by itself, and says: do it again."""
        steps = {event.step_of for event in self.stage.questions(self.run)}
        if "prove" in steps:
            self.by_hand.update(self.stage.bring_home())
        for step in steps:
            said = self.stage.drillctl("decide", self.run, step, "repeat", "--reason", "the cable is in again")
            self._exit_code(said)

    def _exit_code(self, process: subprocess.Popen[str]) -> int:
        try:
            return process.wait(6 * STEP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"{self.run}: expected an end, found none; {self.story}") from None

    def _end_all(self) -> None:
        for process in [*self.frozen, *([self.process] if self.process else [])]:
            if process.poll() is None:
                process.kill()
            process.wait(STEP_S)

    # -- hurting --------------------------------------------------------------------------------------

    def _hurt(self) -> bool:
        """Wait for a moment, then hurt something. False: the run was over before."""
        process = self.process
        assert process is not None
        target = self.stage.event_count(self.run) + self.dice.randrange(1, 14)
        while process.poll() is None and (count := self.stage.event_count(self.run)) < target:
            self._next_event(process, count)
        if self.dice.random() < 0.6:  # in mid-step
            end = time.monotonic() + self.dice.random() * 1.5
            self._until(lambda: process.poll() is not None or time.monotonic() >= end, "a moment")
        if process.poll() is not None:
            return self.stage.state(self.run)["status"] != "closed" and self._again()
        how = self.dice.choice(list(_HURTS))
        last = self.stage.last_event(self.run)
        if not _HURTS[how](self):
            how = "orchestrator"
            _HURTS[how](self)
        self.tally.hurts[how] += 1
        self.story.append(f"{how} after {last}")
        return True

    def _next_event(self, process: subprocess.Popen[str], before: int) -> None:
        """However busy the machine is, one step of the run ends within that time, or its orchestrator has left."""
        self._until(
            lambda: process.poll() is not None or self.stage.event_count(self.run) > before, "something happens"
        )

    def _is_touched(self) -> bool:
        return self._exit_code_now() is not None or self.stage.has(self.run, "fault_on")

    def _again(self) -> bool:
        if self._exit_code_now() == 5:
            self._answer()
        self._resume()
        return True

    def _exit_code_now(self) -> int | None:
        return self.process.poll() if self.process else None

    def kill_orchestrator(self) -> bool:
        assert self.process is not None
        self.process.kill()
        self.process.wait(STEP_S)
        self._resume()
        return True

    def kill_everything(self) -> bool:
        """As when the machine loses its power, the twin apart."""
        assert self.process is not None
        pids = self.stage.marked()
        self.process.kill()
        for pid in pids:
            _signal(pid, signal.SIGKILL)
        self.process.wait(STEP_S)
        self._resume()
        return True

    def kill_guard(self) -> bool:
        return self._kill_one(lambda words: "orchestrator.guarding" in words)

    def kill_playbook(self) -> bool:
        return self._kill_one(lambda words: "ansible-playbook" in words or "hands_child" in words)

    def kill_sampler(self) -> bool:
        return self._kill_one(lambda words: "sampler_child" in words)

    def _kill_one(self, is_it: Callable[[str], bool]) -> bool:
        found = [pid for pid in self.stage.marked() if is_it(_command_line(pid))]
        for pid in found[-1:]:
            _signal(pid, signal.SIGKILL)
        return bool(found)

    def freeze_playbook(self) -> bool:
        found = [pid for pid in self.stage.marked() if _is_call(_command_line(pid))]
        return self._freeze(found)

    def freeze_guard(self) -> bool:
        found = [pid for pid in self.stage.marked() if "orchestrator.guarding" in _command_line(pid)]
        return self._freeze(found)

    def _freeze(self, pids: list[int]) -> bool:
        for pid in pids:
            _signal(pid, signal.SIGSTOP)
        self._pass(FROZEN_S)
        for pid in pids:
            _signal(pid, signal.SIGCONT)
        return bool(pids)

    def freeze_orchestrator(self) -> bool:
        """It is taken over once its lease has ended, and wakes when another one has the run. Frozen in the middle of
        a write it holds the journal: then nobody can take over, and it goes on when it wakes.
        """
        assert self.process is not None
        old, epoch = self.process, self.stage.state(self.run)["epoch"]
        _signal(old.pid, signal.SIGSTOP)
        self.frozen.append(old)
        until = self.stage.state(self.run)["lease_until"]
        self._until(lambda: time.time() > until, "the lease ends")
        self._resume()
        self._pass(self.dice.random() * 3)
        _signal(old.pid, signal.SIGCONT)
        if self.stage.state(self.run)["epoch"] == epoch:
            self.frozen.remove(old)
            self.process = old
        return True

    def kill_sshd(self) -> bool:
        return self._sabotage("kill_sshd", "start_sshd")

    def freeze_sshd(self) -> bool:
        return self._sabotage("freeze_sshd", "thaw_sshd")

    def freeze_host(self) -> bool:
        return self._sabotage("freeze_host", "thaw_host")

    def _sabotage(self, begin: str, end: str) -> bool:
        host = self.dice.choice(self.stage.hosts)
        self.stage.twin.sabotage(begin, host=host)
        self._pass(FROZEN_S)
        self.stage.twin.sabotage(end, host=host)
        return True

    def _pass(self, seconds: float) -> None:
        """Time goes by while something is frozen: that is what is tested."""
        process, end = self.process, time.monotonic() + seconds
        self._until(lambda: time.monotonic() >= end or (process is not None and process.poll() is not None), "time")

    def _until(self, condition: Callable[[], object], what: str) -> None:
        end = time.monotonic() + STEP_S
        while not condition():
            assert time.monotonic() < end, f"{self.run}: expected that {what} within {STEP_S} s; {self.story}"
            time.sleep(LOOK_S)

    # -- the truth ------------------------------------------------------------------------------------

    def _examine(self, before: dict[str, set[str]], since: int, code: int) -> None:
        stage, tally = self.stage, self.tally
        events = stage.events(self.run)
        truth = stage.truth()
        status = stage.state(self.run)["status"]
        found: list[str] = []
        if not chain_is_valid(events):
            found.append("the chain is broken")
        doubles = [item for item in truth["logins"][since:] if item["kind"] == "duplicate"]
        tally.duplicates += len(doubles)
        found += [f"logged in twice: {item}" for item in doubles]
        found += [f"shared certificate: {item}" for item in truth["shared_certificates"] or ()]
        repeated = list(self._repeated(before, events))
        tally.repeated += len(repeated)
        found += repeated
        left = list(stage.leftovers(self.run)) if status == "closed" else []
        tally.leftovers += len(left)
        found += left
        found += stage.unsealed(self.run) if status == "closed" else []
        if status == "closed":
            tally.closed += 1
            tally.passed += code == 0
        elif stage.questions(self.run):
            tally.waiting += 1
        else:
            found.append(f"neither closed nor waiting for a person: {status}")
        tally.wrong += [f"{self.run} {self.scene}: {item}; {self.story}" for item in found]

    def _repeated(self, before: dict[str, set[str]], events: list[Event]) -> Iterator[str]:
        """More starts of a gateway's process than attempts that could start it."""
        verb = {step["id"]: step["verb"] for step in self.stage.plan(self.run)["steps"]}
        number = {item["gateway"]: item["number"] for item in self.stage.plan(self.run)["gateways"]}
        may = Counter(self.by_hand)
        for event in events:
            if event.kind in (EventKind.INTENT, EventKind.UNDO_INTENT) and verb[str(event.step)] in _CHANGING:
                may.update(number[name] for name in event.data["targets"] if name in number)
            if event.kind in (EventKind.DONE, EventKind.UNDO_DONE):
                rolled = [item for item in event.data["results"] if item["data"].get("rolled_back")]
                may.update(number[item["target"]] for item in rolled)
        for name, instances in self.stage.instances().items():
            new = len(instances - before.get(name, set()))
            if new > may[name]:
                yield f"gateway number {name} was started {new} times, {may[name]} attempts explain it"


_HURTS: dict[str, Callable[[Night], bool]] = {
    "orchestrator": Night.kill_orchestrator,
    "everything at once": Night.kill_everything,
    "guard": Night.kill_guard,
    "playbook": Night.kill_playbook,
    "sampler": Night.kill_sampler,
    "sshd of a target": Night.kill_sshd,
    "frozen sshd": Night.freeze_sshd,
    "frozen host": Night.freeze_host,
    "frozen playbook": Night.freeze_playbook,
    "frozen guard": Night.freeze_guard,
    "frozen orchestrator": Night.freeze_orchestrator,
}


@dataclass(frozen=True)
class Question:
    """An open question of a run."""

    step_of: str


def _is_call(words: str) -> bool:
    return "ansible" in words or "hands_child" in words


class Stage:
    """A twin with its site, journal and reports in one scratch folder."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.site = _quick_site(scratch)
        self._signers = Signers.made(scratch / "keys", _OPERATOR, _APPROVER)
        shutil.copy(self._signers.allowed, self.site)
        self._plans: dict[tuple[str, ...], str] = {}
        self.twin = Twin.up(load_site(self.site), f"torture-{os.getpid()}", 900)
        self.hosts = sorted(self.twin.status()["hosts"])
        self._gateway_hosts = [host for host in self.hosts if not host.startswith("edge")]
        self._processes: list[subprocess.Popen[str]] = []

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
                process.wait(STEP_S)
        for pid in self.marked():
            _signal(pid, signal.SIGKILL)
        self.twin.down()

    def begin(self, scene: tuple[str, ...]) -> subprocess.Popen[str]:
        """Run a drill that somebody else has approved."""
        if scene not in self._plans:
            said = self._say("plan", *scene, "--mode", "drill", "--save", "--by", _OPERATOR)
            self._plans[scene] = plan = said.split("on file as ")[1].split(";")[0]
            self._say("approve", plan, "--by", _APPROVER, *self._key(_APPROVER), "--window", "now", "--days", "2")
        return self.drillctl("run", self._plans[scene], "--by", _OPERATOR, *self._key(_OPERATOR))

    def _key(self, person: str) -> tuple[str, str]:
        return "--key", str(self._signers.key(person))

    def _say(self, *words: str) -> str:
        """What contacts nothing."""
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator", *words, "--site", str(self.site)],
            cwd=ROOT,
            env={**os.environ, **self._environment(), "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=STEP_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def drillctl(self, *words: str) -> subprocess.Popen[str]:
        """Inside the twin, as a process whose id is the orchestrator's own."""
        enter = ["nsenter", f"--net=/proc/{self.twin.pid}/ns/net", "--"]
        log = (self.scratch / "drillctl.log").open("a", encoding="utf-8")
        with log:
            process = subprocess.Popen(
                [*enter, sys.executable, "-m", "orchestrator", *words, "--site", str(self.site)],
                cwd=ROOT,
                env={**os.environ, **self._environment(), "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def _environment(self) -> dict[str, str]:
        state, reports = self.scratch / "state", self.scratch / "reports"
        return {"DRILLCTL_STATE": str(state), "DRILLCTL_REPORTS": str(reports), "NO_COLOR": "1"}

    # -- the journal, read from outside ---------------------------------------------------------------

    def _rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        path = self.scratch / "state" / "journal.db"
        if not path.is_file():
            return []
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
        try:
            return database.execute(query, values).fetchall()
        except sqlite3.OperationalError:  # the schema is just being made
            return []
        finally:
            database.close()

    def runs(self) -> list[str]:
        return [row[0] for row in self._rows("select run from run")]

    def state(self, run: str) -> dict[str, Any]:
        row = self._rows("select status, epoch, lease_until, process from run where run = ?", run)[0]
        return dict(zip(("status", "epoch", "lease_until", "process"), row, strict=True))

    def plan(self, run: str) -> dict[str, Any]:
        plan: dict[str, Any] = json.loads(self._rows("select plan from run where run = ?", run)[0][0])
        return plan

    def event_count(self, run: str) -> int:
        return int(self._rows("select count(*) from event where run = ?", run)[0][0])

    def has(self, run: str, kind: str) -> bool:
        return bool(self._rows("select 1 from event where run = ? and kind = ?", run, kind))

    def last_event(self, run: str) -> str:
        rows = self._rows("select kind, step from event where run = ? order by seq desc limit 1", run)
        return " ".join(str(item) for item in rows[0] if item)

    def events(self, run: str) -> list[Event]:
        names = ("run", "seq", "at", "kind", "step", "attempt", "data", "previous", "digest")
        rows = self._rows(f"select {', '.join(names)} from event where run = ? order by seq", run)  # noqa: S608
        read = [dict(zip(names, row, strict=True)) for row in rows]
        return [Event.model_validate({**row, "data": json.loads(row["data"])}) for row in read]

    def questions(self, run: str) -> list[Question]:
        """What the last orchestrator asked, if it left with a question."""
        asked: list[Question] = []
        for event in self.events(run):
            if event.kind is EventKind.RESUMED:
                asked = []
            if event.kind is EventKind.WAITING:
                asked.append(Question(event.data["step"]))
        return asked

    # -- the truth ------------------------------------------------------------------------------------

    def truth(self) -> dict[str, Any]:
        return self.twin.truth()

    def instances(self) -> dict[str, set[str]]:
        """Gateway number → processes that have logged on, or tried to."""
        found: dict[str, set[str]] = {}
        for login in self.truth()["logins"]:
            found.setdefault(login["number"], set()).add(login["instance"])
        return found

    def marked(self) -> list[int]:
        """Processes of this machine that a guard of this scratch folder has started, and the guards."""
        wanted = str(self.scratch).encode()
        found = []
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                environment = (folder / "environ").read_bytes()
                words = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            marks = [item for item in environment.split(b"\0") if item.startswith(b"DRILLCTL_GUARD=")]
            if any(wanted in item for item in marks) or (b"orchestrator.guarding" in words and wanted in words):
                found.append(int(folder.name))
        return sorted(found)

    def leftovers(self, run: str) -> Iterator[str]:
        """What must not be there once a run is closed."""
        status = self.twin.status()
        yield from (f"a fault is on: {item}" for item in status["faults"])
        stopped = [name for name, up in status["gateways"].items() if not up and self._runs(name)]
        yield from (f"gateway {name} does not run" for name in stopped)
        yield from (f"process {pid} is left: {_command_line(pid)[:120]}" for pid in self._left_running())
        shell = Shell(self.twin)
        for host in self.hosts:
            said = shell.run(host, "ls -d /var/tmp/drillctl-* 2>/dev/null; nft list tables 2>/dev/null | grep fence")
            yield from (f"{host} has {line}" for line in said.stdout.split("\n") if line.strip())
        for gateway in load_site(self.site).topology.gateways:
            path = self._config_path(gateway.id)
            digest = shell.run(gateway.host, f"sha256sum {path}").stdout.split(" ")[0]
            if digest != self.originals[gateway.id]:
                yield f"{gateway.id}: {path} is not as it was"
        del run

    def unsealed(self, run: str) -> Iterator[str]:
        """A closed run that was killed before its seal is sealed now; its pack verifies."""
        pack = self.scratch / "reports" / run / PACK
        ledger = (self.scratch / "reports" / "ledger" / "ledger.jsonl").read_text(encoding="utf-8")
        sealed = any(
            line["kind"] == "pack.sealed" and line["data"]["run"] == run
            for line in map(json.loads, ledger.splitlines())
        )
        if not sealed and self.drillctl("evidence", "seal", run).wait(STEP_S) != 0:
            yield "closed, and cannot be sealed"
            return
        yield from (f"its pack does not verify: {fault}" for fault in verify_pack(pack))

    def _runs(self, gateway: str) -> bool:
        return load_site(self.site).topology.gateway[gateway].enabled

    def _left_running(self) -> list[int]:
        end = time.monotonic() + 10
        while (left := self.marked()) and time.monotonic() < end:
            time.sleep(LOOK_S)
        return left

    def _config_path(self, gateway: str) -> str:
        topology = load_site(self.site).topology
        return str(gateway_spec(topology, topology.gateway[gateway])["config"]["path"])

    def is_at_home(self) -> bool:
        """Whether every gateway is at the first front of its list, as a run expects it."""
        home = {item.number: item.servers[0] for item in load_site(self.site).topology.gateways if item.enabled}
        end = time.monotonic() + 20
        while time.monotonic() < end:
            current = self.truth()["current"]
            if all(current.get(number, {}).get("front") == front for number, front in home.items()):
                return True
            time.sleep(LOOK_S)
        return False

    def bring_home(self) -> list[str]:
        """Gateways that are logged in elsewhere than at the first front of their list, stopped and started again: one
        that a frozen host has sent to its second front does not go back by itself, and is none of the drill's.
        """
        topology, current, shell = load_site(self.site).topology, self.truth()["current"], Shell(self.twin)
        away = [
            gateway
            for gateway in topology.gateways
            if gateway.enabled and current.get(gateway.number, {}).get("front") not in (None, gateway.servers[0])
        ]
        for gateway in away:
            service = gateway_spec(topology, gateway)["service"]
            for verb in ("stop", "start"):
                shell.run(gateway.host, shlex.join(service[verb]))
        self.is_at_home()
        return [gateway.number for gateway in away]

    def note_originals(self) -> None:
        shell = Shell(self.twin)
        self.originals = {
            gateway.id: shell.run(gateway.host, f"sha256sum {self._config_path(gateway.id)}").stdout.split(" ")[0]
            for gateway in load_site(self.site).topology.gateways
        }


def _quick_site(scratch: Path) -> Path:
    """A small site whose fronts forget a lost session soon."""
    site = write_site(scratch, SiteSpec(classes=("trading", "market-data-tcp"), cold="beside"))
    path = site / "topology.yml"
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    data["site"]["session_timeout_s"] = RELEASE_S
    path.write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), encoding="utf-8")
    approver = {**EVERYBODY, "id": _APPROVER, "roles": ["approver"]}
    people = {"people": [EVERYBODY, approver]}
    (site / "people.yml").write_text(yaml.safe_dump(people, allow_unicode=True, sort_keys=False), encoding="utf-8")
    write_calendar(site, begins=-timedelta(hours=1), ends=timedelta(hours=23))
    return site


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _command_line(pid: int) -> str:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def torture(hurts: int, scratch: Path, seed: int, tell: Callable[[str], None]) -> Tally:
    """Nights until so many things were hurt."""
    dice, tally = random.Random(seed), Tally()  # noqa: S311 - a seed that can be played again
    stage = Stage(scratch)
    try:
        stage.note_originals()
        while sum(tally.hurts.values()) < hurts:
            scene, told = SCENES[tally.nights % len(SCENES)], len(tally.wrong)
            tally.nights += 1
            if not stage.is_at_home():  # what the last run's end has left as its report says
                stage = _anew(stage, scratch)
            night = Night(stage, scene, dice, tally)
            try:
                night.play(dice.randrange(6, 14))
            except AssertionError as error:
                tally.wrong.append(f"{night.run} {scene}: {error}")
            tell(f"night {tally.nights}: {night.run} {'; '.join(night.story)}")
            for item in tally.wrong[told:]:
                tell(f"WRONG: {item}")
            if night.run and stage.state(night.run)["status"] != "closed":
                stage = _anew(stage, scratch)
    finally:
        stage.close()
    return tally


def _anew(stage: Stage, scratch: Path) -> Stage:
    """A run that is not closed keeps its twin busy: another twin for the others."""
    stage.close()
    other = Stage(scratch / f"again-{int(time.time())}")
    other.note_originals()
    return other
