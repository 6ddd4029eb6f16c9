"""Builds believable run records of the example site: what the judge would hand to the report.

Times are made up but fit each other; the plan is the planner's own.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from orchestrator.loader.drill import load_drill
from orchestrator.loader.site import LoadedSite, load_site
from orchestrator.model.base import Title
from orchestrator.model.drill import Check, Mode, Response
from orchestrator.model.event import CheckRecord, CheckResult, Outcome
from orchestrator.model.evidence import Approval, Finding, FindingKind, FindingState, LedgerPlace
from orchestrator.model.plan import Action, FaultSource, GatewayChange, Phase, Plan
from orchestrator.model.record import (
    AbortRecord,
    ConfigRecord,
    DecisionRecord,
    InterlockProof,
    Interruption,
    JournalHead,
    OpenStep,
    PhaseTime,
    RunRecord,
    StepRecord,
)
from orchestrator.model.topology import GatewayClass, Topology
from orchestrator.model.verdict import (
    ClassTimes,
    Difference,
    GatewayTimes,
    Integrity,
    ObjectiveResult,
    ObjectiveState,
    Restoration,
    RunOutcome,
    Verdict,
)
from orchestrator.planner import Request, make_plan
from orchestrator.rules.clauses import Exercised, clause_register

ROOT = Path(__file__).parents[2]
START = datetime(2026, 11, 21, 1, 30, 0, 123456, tzinfo=UTC).timestamp()  # a Saturday, 9:30 in Shanghai
FAULT = START + 6.4
LIFT = START + 24.9
FINISH = START + 41.75
_BREAKS = (
    Action.REPOINT,
    Action.OWN_LIST,
    Action.NO_BUSINESS,
    Action.TAKEN_OVER,
    Action.TAKE_OVER,
    Action.HOT_STANDBY,
)
_MARKET = (GatewayClass.MARKET_DATA_TCP, GatewayClass.MARKET_DATA_MULTICAST, GatewayClass.MDGW)


@cache
def site() -> LoadedSite:
    return load_site(ROOT / "inventory" / "example")


def plan_of(
    drill: str,
    mode: Mode = Mode.REHEARSAL,
    response: Response | None = None,
    topology: Topology | None = None,
    **settings: str,
) -> Plan:
    request = Request(mode, date(2026, 11, 21), settings, response)
    return make_plan(topology or site().topology, site().digest, load_drill(ROOT / "drills", drill), request)


@dataclass(frozen=True)
class Story:
    """What differs between the variants."""

    plan: Plan
    topology: Topology
    lost: tuple[str, ...] = ()  # gateways that do not come back
    integrity: Integrity = Integrity.SEALED


def passed() -> RunRecord:
    """Futian lost, lists changed, everything back."""
    return _record(Story(plan_of("single-centre-failure"), site().topology))


def failed() -> RunRecord:
    """One gateway does not come back, one host cannot be looked at, one file differs after restoration."""
    return _record(
        Story(plan_of("single-centre-failure"), site().topology, lost=("nq-trade-3",), integrity=Integrity.UNSEALED)
    )


def observed() -> RunRecord:
    """A drill on the real site: nothing changed, the gateways' own lists fail over."""
    return _record(Story(plan_of("single-centre-failure", Mode.DRILL), site().topology))


def carrier() -> RunRecord:
    """A carrier lost: some gateways are rerouted and never break, some are repointed."""
    return _record(Story(plan_of("single-carrier-failure"), site().topology))


def host() -> RunRecord:
    """A gateway host lost: fenced, and its cold standby takes over with the same number."""
    record = _record(Story(plan_of("gateway-host-failure"), site().topology))
    away = InterlockProof(
        gateway="nq-trade-1",
        number="W100200",
        certificate="nq-trade-1-file",
        host="gw-a1",
        target_host="gw-b2",
        step="take-over-1",
        way="network",
        stop_at=FAULT + 0.6,
        proved_at=FAULT + 0.9,
        process_gone_at=None,
        sockets_gone_at=None,
        released_by="waited",
        waited_s=12.0,
        start_at=FAULT + 13.2,
        login_at=FAULT + 14.1,
    )
    gone = {"process_gone_at": LIFT + 3.2, "sockets_gone_at": LIFT + 3.1, "proved_at": LIFT + 3.2, "way": "process"}
    hosts = {"gateway": "nq-trade-1-cold", "host": "gw-b2", "target_host": "gw-a1", "step": "give-back-1"}
    ends = {"stop_at": LIFT + 3, "released_by": "acknowledged", "waited_s": 0.0, "start_at": LIFT + 4, "login_at": None}
    return record.model_copy(update={"interlocks": (away, away.model_copy(update=gone | hosts | ends))})


def beijing() -> RunRecord:
    """Both production centres lost: multicast has no such business in Beijing."""
    return _record(Story(plan_of("beijing-dr-cutover"), site().topology))


def incident() -> RunRecord:
    """The real thing: nothing injected, nothing restored."""
    record = _record(Story(plan_of("single-centre-failure", Mode.INCIDENT), site().topology))
    verdict = record.verdict.model_copy(update={"restoration": Restoration.NOT_APPLICABLE})
    return record.model_copy(update={"verdict": verdict, "lifted_at": None, "ground_truth": None})


def not_started() -> RunRecord:
    """A precondition was not met: nothing was touched, nothing was measured."""
    record = passed()
    verdict = Verdict(
        outcome=RunOutcome.NOT_STARTED,
        restoration=Restoration.NOT_APPLICABLE,
        objectives=(),
        integrity=Integrity.BROKEN,
        reasons=(Title(zh="基线检查未通过：W100200 演练前未登录", en="baseline not met: W100200 was not logged in"),),
    )
    empty: dict[str, Any] = dict.fromkeys(("phases", "steps", "checks", "configurations", "interlocks"), ())
    return record.model_copy(
        update={
            **empty,
            "verdict": verdict,
            "fault_at": None,
            "lifted_at": None,
            "clock_offset_s": {},
            "versions": {},
            "ground_truth": None,
            "clauses": clause_register().results({}),
            "journal": JournalHead(events=3, head="0" * 64, chain_valid=False),
        }
    )


def interrupted() -> RunRecord:
    """The orchestrator vanished in mid-switch, and a person had to say what had become of one gateway."""
    record = carrier()
    switching = next(item for item in record.phases if item.phase is Phase.SWITCHING)
    silent, back = switching.started_at + 0.6, switching.started_at + 3.2
    wave = ("nq-trade-1", "nq-md-1")
    lost = Interruption(
        cause="lost",
        silent_since=silent,
        resumed_at=back,
        owner_before="zhang.wei",
        owner_after="li.na",
        phase=Phase.SWITCHING,
        steps=(
            OpenStep(
                step="repoint-1", attempt=1, targets=wave, settled_by="decision", settled_at=back + 0.9, again=wave[1:]
            ),
            OpenStep(step="settle", attempt=1, targets=("site",), settled_by="policy", settled_at=back + 0.2),
        ),
    )
    waited = Interruption(
        cause="waiting",
        silent_since=back + 0.3,
        resumed_at=back + 0.8,
        owner_before="li.na",
        owner_after="li.na",
        phase=Phase.SWITCHING,
    )
    decided = DecisionRecord(
        step="repoint-1",
        target=wave[0],
        choice="done",
        by="li",
        second="wang",
        reason="seen on its screen",
        at=back + 0.7,
    )
    return record.model_copy(
        update={
            "interruptions": (lost, waited),
            "decisions": (decided,),
            "aborts": (AbortRecord(by="zhang", reason="the exchange asks", at=FINISH - 9),),
        }
    )


def documented() -> RunRecord:
    """A drill on the real site with all its papers: announced, approved, in the ledger, with findings old and new."""
    record = observed()
    new = Finding(
        id="F-20261121T093000-7f3a-1",
        run=record.run,
        drill=record.plan.drill,
        kind=FindingKind.OBJECTIVE,
        subject="trading",
        title=Title(zh="交易网关切换时间未达标", en="switch time of trading gateways missed"),
        detail=Title(zh="实测 72.100 秒，限值 60 秒", en="measured 72.100 s, at most 60 s"),
        owner="li",
        due="2026-12-21",
    )
    old = new.model_copy(
        update={"id": "F-20260516T093000-11aa-1", "kind": FindingKind.CHECK, "owner": None, "due": "2026-06-15"}
    )
    closed = old.model_copy(update={"id": "F-20260516T093000-11aa-2", "due": "2027-01-01"})
    return record.model_copy(
        update={
            "operator": "li",
            "announcement": "2026-118",
            "approvals": (
                Approval(by="chen", role="approver", at=START - 86400, plan_digest=record.plan_digest, note="OK"),
                Approval(by="zhang", role="commander", at=START - 3600, plan_digest="0" * 64),
            ),
            "ledger": LedgerPlace(seq=42, digest="ab" * 32),
            "findings": (new,),
            "earlier_findings": (
                FindingState(
                    finding=closed,
                    closed_at="2026-07-01T02:00:00Z",
                    closed_by="wang",
                    retest_run="20260701T093000-x",
                ),
                FindingState(finding=old),
            ),
        }
    )


def hostile() -> RunRecord:
    """Texts of the site and of hosts that try to be more than text."""
    text = """</style></svg><script>alert(1)</script><img src=x onerror="alert(1)">'{{ 7*7 }}"""
    record = failed().model_copy(update={"aborts": (AbortRecord(by=text, reason=text, at=FINISH),)})
    title = Title(zh=text, en=text)
    data = record.topology.model_dump(mode="json", by_alias=True)
    for item in (data["site"], *data["rooms"], *data["lines"]):
        item["title"] = title.model_dump()
    topology = Topology.model_validate(data)
    configurations = tuple(
        item.model_copy(update={"path": text, "diff": (f"+{text}",)}) for item in record.configurations
    )
    checks = tuple(item.model_copy(update={"found": text}) for item in record.checks)
    steps = tuple(item.model_copy(update={"message": text}) for item in record.steps)
    return record.model_copy(
        update={
            "run": text,
            "operator": text,
            "topology": topology,
            "configurations": configurations,
            "checks": checks,
            "steps": steps,
            "versions": {text: text},
        }
    )


def large(gateways: int = 60) -> RunRecord:
    """Many gateways on many hosts, made from the example's own."""
    topology = site().topology
    data = topology.model_dump(mode="json", by_alias=True)
    first = len(data["gateways"])
    for extra in range((gateways - first + 1) // 2):
        _add_pair(data, extra)
    grown = Topology.model_validate(data)
    return _record(Story(plan_of("single-centre-failure", topology=grown), grown))


def _add_pair(data: dict[str, Any], extra: int) -> None:
    """One more trading pair, each member on a host of its own."""
    names = (f"nq-more-{extra}a", f"nq-more-{extra}b")
    for member, (name, room) in enumerate(zip(names, "ab", strict=True)):
        host = f"gw-{room}{20 + extra}"
        octet = "1" if room == "a" else "2"
        data["hosts"].append(
            {
                "id": host,
                "room": f"room-{room}",
                "router": f"ce-{room}",
                "management_address": f"198.18.{octet}.{20 + extra}",
                "site_address": f"198.19.{octet}.{20 + extra}",
            }
        )
        data["gateways"].append(
            {
                **data["gateways"][0],
                "id": name,
                "number": f"W{300000 + extra * 2}",
                "host": host,
                "role": "standby" if member else "primary",
                "pair": names[1 - member],
                "certificates": [],
                "certificate": None,
            }
        )
        data["gateways"][-1]["number"] = f"W{300000 + extra * 4 + member * 2}"


def _record(story: Story) -> RunRecord:
    plan = story.plan
    times = tuple(_times(story, index, change) for index, change in enumerate(plan.affected))
    real = plan.mode is not Mode.REHEARSAL
    interlocks = tuple(_proof(story, item) for item in times if item.list_changed)
    checks = tuple(_checks(story))
    return RunRecord(
        run=f"20261121T093000-{plan.drill}-7f3a",
        simulated=not real,
        fault_source=FaultSource.DECLARED if real else FaultSource.TWIN,
        operator="zhang.wei",
        started_at=START,
        finished_at=FINISH,
        fault_at=FAULT,
        lifted_at=LIFT,
        plan=plan,
        plan_digest=plan.digest,
        topology=story.topology,
        verdict=_verdict(story, times),
        phases=tuple(_phases()),
        steps=tuple(_steps(story)),
        checks=checks,
        configurations=tuple(
            _configuration(story, change) for change in plan.gateways if change.action is Action.REPOINT
        ),
        interlocks=interlocks,
        clauses=clause_register().results(_exercised(story)),
        clock_offset_s={host.id: 0.0004 * (index % 5) - 0.0007 for index, host in enumerate(story.topology.hosts)},
        versions={"drillctl": "0.1.0", "python": "3.13.5", "ansible-core": "2.21.5", "ansible-runner": "2.4.3"},
        journal=JournalHead(events=214, head=_sha("journal"), chain_valid=True),
        ground_truth=None if real else _truth(times, story),
    )


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _times(story: Story, index: int, change: GatewayChange) -> GatewayTimes:
    broke = change.action in _BREAKS
    back = change.gateway not in story.lost
    goes = broke and back and change.after is not None
    broken = FAULT + 0.31 + 0.137 * (index % 7) if broke else None
    connected = broken + 0.9 + 0.211 * (index % 5) if broken is not None and goes else None
    login = connected + 0.08 + 0.047 * (index % 3) if connected is not None else None
    sampled = change.action is Action.OWN_LIST
    market = change.gateway_class in _MARKET
    after, home = change.after if back else None, change.before
    return GatewayTimes(
        gateway=change.gateway,
        number=change.number,
        gateway_class=change.gateway_class,
        host=change.host,
        action=change.action,
        broken_at=broken,
        connected_at=connected,
        login_at=login,
        switch_s=login - broken if login is not None and broken is not None else None,
        gap_s=login - broken + 0.25
        if market and login is not None and broken is not None
        else (0.0 if market and not broke else None),
        resolution_s=0.5 if sampled else 0.0,
        front_before=home.front if home else None,
        front_during=after.front if after else None,
        front_after=home.front if home and back else None,
        line_before=home.line if home else None,
        line_during=after.line if after else None,
        line_after=home.line if home and back else None,
        list_changed=change.action is Action.REPOINT,
        came_back=back and change.after is not None,
    )


def _phases() -> Iterator[PhaseTime]:
    marks = (0, 2.1, 6.1, 6.9, 11.4, 18.2, 24.6, 32.8, 40.9, 41.75)
    for phase, begin, end in zip(Phase, marks[:-1], marks[1:], strict=True):
        yield PhaseTime(phase=phase, started_at=START + begin, finished_at=START + end)


def _steps(story: Story) -> Iterator[StepRecord]:
    begins = {item.phase: item.started_at for item in _phases()}
    for step in story.plan.steps:
        for target in step.targets:
            lost = target.name in story.lost and step.phase is Phase.SWITCHING
            yield StepRecord(
                step=step.id,
                phase=step.phase,
                verb=step.verb,
                title=step.title,
                target=target.name,
                attempt=1,
                undo=False,
                started_at=begins[step.phase] + 0.02,
                finished_at=None if lost else begins[step.phase] + 0.71,
                outcome=Outcome.INDETERMINATE if lost else Outcome.SUCCEEDED,
                message="172.50.101.30:7043" if lost else "",
            )


def _checks(story: Story) -> Iterator[CheckRecord]:
    places = {change.gateway: change for change in story.plan.gateways}
    for phase in (Phase.BASELINING, Phase.VERIFYING, Phase.PROVING_RESTORATION):
        for gateway in (item for item in story.topology.gateways if item.id in places):
            for check in (
                Check.PATH,
                Check.TCP,
                Check.PROCESS,
                Check.CONFIGURATION,
                Check.SESSION,
                Check.LOGIN,
                Check.DATA,
            ):
                if check is Check.TCP and phase is not Phase.VERIFYING:
                    continue
                yield _check(story, phase, check, places[gateway.id])
        for router in story.topology.routers:
            for check in (Check.ISOLATION, Check.ROUTED_PORT):
                yield CheckRecord(
                    phase=phase,
                    check=check,
                    target=router.id,
                    host=router.id,
                    result=CheckResult.NORMAL,
                    expected=str(router.site_address),
                    found=str(router.site_address),
                    duration_s=0.04,
                )


def _check(story: Story, phase: Phase, check: Check, change: GatewayChange) -> CheckRecord:
    place = change.after if phase is Phase.VERIFYING else change.before
    endpoint = story.topology.front[place.front].endpoint if place else "-"
    result, found, blind = CheckResult.NORMAL, endpoint, False
    if phase is Phase.VERIFYING and place is None:
        result, found = CheckResult.NO_SUCH_BUSINESS, "-"
    elif (
        change.gateway_class in (GatewayClass.TRADING, GatewayClass.TDGW, GatewayClass.SETTLEMENT)
        and check is Check.DATA
    ):
        result, found = CheckResult.NOT_TESTED, "the profile names no sequence in the status file"
    elif phase is not Phase.BASELINING and change.gateway in story.lost:
        rungs = (Check.SESSION, Check.LOGIN)
        result = CheckResult.ABNORMAL if check in rungs else result
        found = "-" if check in rungs else found
    elif story.lost and phase is Phase.VERIFYING and change.host == "gw-a4":
        result, found, blind = CheckResult.NOT_TESTED, "ssh gw-a4:22", True
    return CheckRecord(
        phase=phase,
        check=check,
        target=change.gateway,
        host=change.host,
        result=result,
        could_not_look=blind,
        expected=endpoint,
        found=found,
        duration_s=0.031,
    )


def _configuration(story: Story, change: GatewayChange) -> ConfigRecord:
    gateway = story.topology.gateway[change.gateway]
    differs = change.gateway in story.lost
    endpoints = [story.topology.front[name].endpoint for name in change.list_after]
    return ConfigRecord(
        gateway=change.gateway,
        host=change.host,
        path=story.topology.config_path(gateway),
        sha256_before=_sha(change.gateway),
        sha256_during=_sha(change.gateway + "during"),
        sha256_after=_sha(change.gateway + ("?" if differs else "")),
        list_before=change.list_before,
        list_during=change.list_after,
        list_after=change.list_before,
        diff=(
            "--- before",
            "+++ during",
            "@@ -12,5 +12,4 @@",
            " [MainStation]",
            *(f"-Server{i}={story.topology.front[name].endpoint}" for i, name in enumerate(change.list_before, 1)),
            *(f"+Server{i}={endpoint}" for i, endpoint in enumerate(endpoints, 1)),
            " Heartbeat=5",
        ),
    )


def _proof(story: Story, item: GatewayTimes) -> InterlockProof:
    stop = item.broken_at or FAULT
    lost = item.gateway in story.lost
    gateway = story.topology.gateway[item.gateway]
    return InterlockProof(
        gateway=item.gateway,
        number=item.number,
        certificate=gateway.certificate,
        host=item.host,
        step="repoint-1",
        stop_at=stop + 0.12,
        process_gone_at=stop + 0.19,
        sockets_gone_at=None if lost else stop + 0.21,
        released_by=None if lost else "waited",
        waited_s=0.0 if lost else 0.62,
        start_at=None if lost else stop + 0.84,
        login_at=item.login_at,
    )


def _verdict(story: Story, times: tuple[GatewayTimes, ...]) -> Verdict:
    lost = bool(story.lost)
    reasons = [
        Title(zh=f"网关 {name} 未在预定中心恢复登录", en=f"gateway {name} did not log in where the plan expected it")
        for name in story.lost
    ]
    if not lost:
        reasons = [
            Title(
                zh="受影响网关均已在预定中心恢复，检查无异常",
                en="every affected gateway is back where expected, no check is abnormal",
            )
        ]
    return Verdict(
        outcome=RunOutcome.FAILED if lost else RunOutcome.PASSED,
        restoration=Restoration.NOT_PROVED if lost else Restoration.PROVED,
        objectives=tuple(_objectives(story, times)),
        integrity=story.integrity,
        reasons=tuple(reasons),
        gateways=times,
        classes=tuple(_classes(times)),
        differences=(Difference(target=story.lost[0], field="config_sha256", before="9b1c…", after=""),)
        if lost
        else (),
        lists_changed=sum(item.list_changed for item in times),
    )


def _objectives(story: Story, times: tuple[GatewayTimes, ...]) -> Iterator[ObjectiveResult]:
    for objective in story.plan.objectives:
        chosen = [item for item in times if not objective.classes or item.gateway_class in objective.classes]
        measured = [item.switch_s for item in chosen if item.switch_s is not None]
        gone = any(item.gateway in story.lost for item in chosen)
        value = max(measured) / (86400 if objective.unit == "d" else 1) if measured else None
        state = ObjectiveState.NOT_MEASURED if value is None else ObjectiveState.MISSED if gone else ObjectiveState.MET
        yield ObjectiveResult(
            id=objective.id,
            title=objective.title,
            state=state,
            limit=objective.limit,
            measured=value,
            unit=objective.unit,
            source=objective.source,
        )


def _classes(times: tuple[GatewayTimes, ...]) -> Iterator[ClassTimes]:
    for gateway_class in GatewayClass:
        members = [item for item in times if item.gateway_class is gateway_class]
        measured = [item.switch_s for item in members if item.switch_s is not None]
        yield ClassTimes(
            gateway_class=gateway_class,
            count=len(members),
            measured=len(measured),
            shortest_s=min(measured, default=None),
            longest_s=max(measured, default=None),
            average_s=sum(measured) / len(measured) if measured else None,
        )


def _exercised(story: Story) -> dict[str, Exercised]:
    bad = {"SSCC-2.3", "SSCC-2.5"} if story.lost else set()
    return {
        name: Exercised(result="failed" if name in bad else "passed", by=("login", "session"))
        for name in story.plan.clauses
    }


def _truth(times: tuple[GatewayTimes, ...], story: Story) -> dict[str, Any]:
    logins = [
        {
            "at": item.login_at,
            "number": item.number,
            "certificate": story.topology.gateway[item.gateway].certificate,
            "front": item.front_during,
            "centre": "southern",
            "source": str(story.topology.host[item.host].site_address),
            "source_port": 40000 + index,
            "gateway": item.gateway,
            "line": item.line_during,
            "accepted": True,
            "kind": "login",
            "reason": "",
        }
        for index, item in enumerate(times)
        if item.login_at is not None
    ]
    return {
        "logins": logins,
        "logouts": [],
        "current": {},
        "duplicates": 0,
        "shared_certificates": 0,
        "half_open_retries": 1,
        "receiving": {},
    }
