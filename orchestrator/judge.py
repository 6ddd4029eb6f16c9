"""Journal + observations → verdict. Pure: record first, judge later; failed > unknown > passed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestrator.measure import (
    Window,
    class_times,
    gateway_times,
    on_controller_clock,
    routes_on_controller_clock,
)
from orchestrator.model.base import Title
from orchestrator.model.drill import Metric, Mode, Objective
from orchestrator.model.event import CheckRecord, CheckResult, Event, EventKind, Outcome
from orchestrator.model.plan import Action, Phase, Plan, Verb
from orchestrator.model.topology import GatewayClass, Topology
from orchestrator.model.verdict import (
    Difference,
    GatewayTimes,
    Integrity,
    ObjectiveResult,
    ObjectiveState,
    Restoration,
    RunOutcome,
    Verdict,
)
from orchestrator.ports import Observations

_DAY_S = 86400
_UNSEEN_S = 10.0  # our choice: well beyond what a busy host's sampler may be late
CHECK_ZH = {  # as the reports call them
    "path": "线路与路由",
    "tcp": "TCP 连接",
    "process": "进程",
    "configuration": "配置",
    "session": "会话",
    "login": "登录",
    "data": "数据",
    "isolation": "网络隔离",
    "routed-port": "三层端口",
}


@dataclass(frozen=True)
class StepResult:
    """What the journal says of one step on one target."""

    step: str
    attempt: int
    undo: bool
    started_at: float
    finished_at: float | None
    target: str
    outcome: Outcome
    message: str
    data: Mapping[str, Any]


def epoch_s(event: Event) -> float:
    """When an event was committed, in seconds since the epoch."""
    return datetime.fromisoformat(event.at).timestamp()


def step_results(events: Sequence[Event]) -> list[StepResult]:
    """Every (step, target); an intent without its end is indeterminate."""
    found: list[StepResult] = []
    ends = {
        (event.step, event.attempt): event for event in events if event.kind in (EventKind.DONE, EventKind.UNDO_DONE)
    }
    for event in events:
        if event.kind not in (EventKind.INTENT, EventKind.UNDO_INTENT) or event.step is None:
            continue
        end = ends.get((event.step, event.attempt))
        undo, attempt = event.kind is EventKind.UNDO_INTENT, event.attempt or 1
        if end is None:
            found += [
                StepResult(event.step, attempt, undo, epoch_s(event), None, name, Outcome.INDETERMINATE, "cut off", {})
                for name in event.data["targets"]
            ]
            continue
        found += [
            StepResult(
                event.step,
                attempt,
                undo,
                epoch_s(event),
                epoch_s(end),
                item["target"],
                Outcome(item["outcome"]),
                item["message"],
                item["data"],
            )
            for item in end.data["results"]
        ]
    return found


def check_records(events: Sequence[Event]) -> list[CheckRecord]:
    """Every check of every phase."""
    return [
        CheckRecord.model_validate(item)
        for event in events
        if event.kind is EventKind.CHECKS
        for item in event.data["records"]
    ]


def snapshots(events: Sequence[Event]) -> dict[str, dict[str, Any]]:
    """Snapshots by `when`: before, during, after."""
    return {event.data["when"]: event.data for event in events if event.kind is EventKind.SNAPSHOT}


def window_of(events: Sequence[Event]) -> Window | None:
    """While the fault lasted (an incident: since the first switching step). None: there was none."""
    on = next((event.data["at"] for event in events if event.kind is EventKind.FAULT_ON), None)
    if on is None:
        on = next(
            (
                epoch_s(event)
                for event in events
                if event.kind is EventKind.STATE and event.data["state"] == "switching"
            ),
            None,
        )
    off = next((event.data["at"] for event in events if event.kind is EventKind.FAULT_OFF), None)
    return None if on is None else Window(on, off)


def judge(plan: Plan, topology: Topology, events: Sequence[Event], seen: Observations, chain_valid: bool) -> Verdict:
    """The verdict of a closed run, with the times of every gateway that the fault touches."""
    steps, window = step_results(events), window_of(events)
    times = tuple(measured_times(plan, topology, steps, events, seen, window)) if window else ()
    unseen = _unseen(plan, topology, events, seen, window) if window else {}
    times = tuple(
        item.model_copy(update={"came_back": item.came_back and item.gateway not in unseen}) for item in times
    )
    reasons = (*_reasons(plan, steps, events, [item for item in times if item.gateway not in unseen]), *unseen.values())
    differences = tuple(_differences(events))
    outcome = _outcome(events, reasons)
    return Verdict(
        outcome=outcome,
        restoration=_restoration(plan, events, differences),
        objectives=tuple(_objective(item, times, window) for item in plan.objectives),
        integrity=Integrity.UNSEALED if chain_valid else Integrity.BROKEN,
        reasons=tuple(reason for _, reason in reasons),
        gateways=times,
        classes=class_times(item for item in times if item.action is not Action.NO_BUSINESS),
        differences=differences,
        lists_changed=len(changed_lists(plan, steps)),
    )


def _unseen(
    plan: Plan, topology: Topology, events: Sequence[Event], seen: Observations, window: Window
) -> dict[str, tuple[RunOutcome, Title]]:
    """Gateways without a sample up to the fault's end: what was good when the sampler fell silent says nothing."""
    if window.lifted_at is None:
        return {}
    offset_s = snapshots(events).get("before", {}).get("clock_offset_s", {})
    last: dict[str, float] = {}
    for sample in seen.samples:
        at = sample.at - offset_s.get(sample.host, 0.0)
        if window.holds(at):
            last[sample.gateway] = max(at, last.get(sample.gateway, at))
    late_s = max(_UNSEEN_S, 10 * topology.site.sample_interval_ms / 1000)
    return {
        change.gateway: (
            RunOutcome.INCONCLUSIVE,
            Title(
                zh=f"网关 {change.number} 至故障解除前无采样，状态不明",
                en=f"gateway {change.gateway} ({change.number}) was not seen up to the end of the fault",
            ),
        )
        for change in plan.affected
        if change.action is not Action.NO_BUSINESS and window.lifted_at - last.get(change.gateway, 0.0) > late_s
    }


def changed_lists(plan: Plan, steps: Sequence[StepResult]) -> set[str]:
    """Gateways whose ordered list was really changed."""
    repoints = {step.id for step in plan.steps if step.verb is Verb.REPOINT}
    return {
        item.target
        for item in steps
        if item.step in repoints and item.data.get("changed") and not item.data.get("rolled_back")
    }


def measured_times(
    plan: Plan,
    topology: Topology,
    steps: Sequence[StepResult],
    events: Sequence[Event],
    seen: Observations,
    window: Window,
) -> Iterator[GatewayTimes]:
    """Times of every gateway that the fault touches."""
    stopped: dict[str, list[float]] = {}
    for item in steps:
        stamp = (item.data.get("stamps") or {}).get("stop")
        if stamp:
            stopped.setdefault(item.target, []).append(float(stamp[0]))
    offset_s = snapshots(events).get("before", {}).get("clock_offset_s", {})
    series = on_controller_clock(topology, seen.samples, seen.stamps, stopped, offset_s)
    routes = routes_on_controller_clock(seen.routes, offset_s)
    changed = changed_lists(plan, steps)
    for change in plan.affected:
        yield gateway_times(plan, topology, change, series[change.gateway], routes, window, change.gateway in changed)


def _reasons(
    plan: Plan, steps: Sequence[StepResult], events: Sequence[Event], times: Sequence[GatewayTimes]
) -> Iterator[tuple[RunOutcome, Title]]:
    """Everything that keeps the outcome from being passed, each with what it makes of it."""
    for event in events:
        if event.kind is EventKind.NOTE:
            yield _noted(event)
    phase = {step.id: step.phase for step in plan.steps}
    title = {step.id: step.title.zh for step in plan.steps}
    number = {change.gateway: change.number for change in plan.gateways}
    for item in steps:
        if phase.get(item.step) not in (Phase.INJECTING, Phase.SWITCHING) or item.undo:
            continue
        if item.outcome is Outcome.FAILED:
            yield (
                RunOutcome.FAILED,
                Title(
                    zh=f"步骤“{title[item.step]}”（{number.get(item.target, item.target)}）失败：{item.message}",
                    en=f"step {item.step} failed on {item.target}: {item.message}",
                ),
            )
        elif item.outcome in (Outcome.INDETERMINATE, Outcome.TIMED_OUT):
            yield (
                RunOutcome.INCONCLUSIVE,
                Title(
                    zh=f"步骤“{title[item.step]}”（{number.get(item.target, item.target)}）结果不明：{item.message}",
                    en=f"step {item.step} on {item.target} cannot be told: {item.message}",
                ),
            )
    yield from _gateway_reasons(plan, times)
    yield from _unverified(plan, events)
    for record in check_records(events):
        if record.phase != Phase.VERIFYING.value:
            continue
        checked = f"“{CHECK_ZH.get(record.check, record.check)}”（{number.get(record.target, record.target)}）"
        if record.result is CheckResult.ABNORMAL:
            yield (
                RunOutcome.FAILED,
                Title(
                    zh=f"切换后检查{checked}异常：预期 {record.expected}，实际 {record.found}",
                    en=f"check {record.check} of {record.target} after the switch: expected {record.expected}, "
                    f"found {record.found}",
                ),
            )
        elif record.could_not_look:
            yield (
                RunOutcome.INCONCLUSIVE,
                Title(
                    zh=f"切换后检查{checked}无法查看：{record.found}",
                    en=f"check {record.check} of {record.target} after the switch could not look: {record.found}",
                ),
            )


def _unverified(plan: Plan, events: Sequence[Event]) -> Iterator[tuple[RunOutcome, Title]]:
    """Checks after the switch that the plan has and nobody made. A run that ended early says why by a note."""
    planned = any(step.checks for step in plan.steps if step.phase is Phase.VERIFYING)
    made = any(record.phase == Phase.VERIFYING.value for record in check_records(events))
    if planned and not made and all(event.kind is not EventKind.NOTE for event in events):
        yield RunOutcome.INCONCLUSIVE, Title(zh="切换后检查未执行", en="the checks after the switch were not made")


def _noted(event: Event) -> tuple[RunOutcome, Title]:
    what, text = event.data["what"], event.data["text"]
    outcome, zh, en = {
        "not_started": (RunOutcome.NOT_STARTED, "基线不满足，未开始", "baseline not met, not started"),
        "aborted": (RunOutcome.ABORTED, "已中止", "aborted"),
    }.get(what, (RunOutcome.FAILED, "执行出错", "error"))
    return outcome, Title(zh=f"{zh}：{text}", en=f"{en}: {text}")


def _gateway_reasons(plan: Plan, times: Sequence[GatewayTimes]) -> Iterator[tuple[RunOutcome, Title]]:
    by_id = {change.gateway: change for change in plan.gateways}
    for item in times:
        change = by_id[item.gateway]
        if change.action is Action.NO_BUSINESS or change.after is None:
            continue
        if not item.came_back:
            receives = item.gateway_class is GatewayClass.MARKET_DATA_MULTICAST
            zh, en = ("未恢复接收行情", "did not receive again") if receives else ("未恢复登录", "did not log in again")
            yield (
                RunOutcome.FAILED,
                Title(
                    zh=f"网关 {item.number} 故障期间{zh}",
                    en=f"gateway {item.gateway} ({item.number}) {en} during the fault",
                ),
            )
        elif item.line_during != change.after.line and item.line_during is not None:
            yield (
                RunOutcome.FAILED,
                Title(
                    zh=f"网关 {item.number} 实际经线路 {item.line_during}，预期经线路 {change.after.line}",
                    en=f"gateway {item.gateway} goes over {item.line_during}, expected {change.after.line}",
                ),
            )


def _outcome(events: Sequence[Event], reasons: Sequence[tuple[RunOutcome, Title]]) -> RunOutcome:
    found = {outcome for outcome, _ in reasons}
    if not any(event.kind is EventKind.CLOSED for event in events):
        found.add(RunOutcome.INCONCLUSIVE)
    for worst in (RunOutcome.NOT_STARTED, RunOutcome.ABORTED, RunOutcome.FAILED, RunOutcome.INCONCLUSIVE):
        if worst in found:
            return worst
    return RunOutcome.PASSED


_PROVED = ("running", "endpoints", "config_sha256", "owner", "mode", "session", "logged_in")


def _differences(events: Sequence[Event]) -> Iterator[Difference]:
    """What is not as in the snapshot before: configurations by digest, sessions, routes, residue."""
    taken = snapshots(events)
    if "before" not in taken or "after" not in taken:
        return
    before, after = taken["before"], taken["after"]
    for kind, fields in (("gateways", _PROVED), ("routers", None)):
        for name, old in before[kind].items():
            new = after[kind].get(name)
            if new is None:
                yield Difference(
                    target=name, field=kind, before="seen", after=str(after["unreachable"].get(name, "not seen"))
                )
                continue
            for field in fields or sorted({*old, *new}):
                if old.get(field) != new.get(field):
                    yield Difference(target=name, field=field, before=str(old.get(field)), after=str(new.get(field)))
    for name, lines in after["residue"].items():
        for line in sorted(set(lines) - set(before["residue"].get(name, ()))):
            yield Difference(target=name, field="residue", before="-", after=line)


def _restoration(plan: Plan, events: Sequence[Event], differences: Sequence[Difference]) -> Restoration:
    """Whether the state before is proved to be back. Not applicable where nothing was touched, and in an incident."""
    steps = {step.id: step for step in plan.steps}
    begun = {steps[item.step].phase for item in step_results(events) if item.step in steps}
    if begun.isdisjoint((Phase.INJECTING, Phase.SWITCHING)) or plan.mode is Mode.INCIDENT:
        return Restoration.NOT_APPLICABLE
    undone = all(
        item.outcome in (Outcome.UNDONE, Outcome.SUCCEEDED, Outcome.SKIPPED)
        for item in step_results(events)
        if item.step in steps and steps[item.step].phase is Phase.RESTORING
    )
    proving = [record for record in check_records(events) if record.phase == Phase.PROVING_RESTORATION.value]
    normal = bool(proving) and all(r.result is not CheckResult.ABNORMAL and not r.could_not_look for r in proving)
    seen = "after" in snapshots(events) and not snapshots(events)["after"]["unreachable"]
    return Restoration.PROVED if undone and normal and seen and not differences else Restoration.NOT_PROVED


def _objective(objective: Objective, times: Sequence[GatewayTimes], window: Window | None) -> ObjectiveResult:
    chosen = [
        item
        for item in times
        if item.action is not Action.NO_BUSINESS and (not objective.classes or item.gateway_class in objective.classes)
    ]
    measured = _measured(objective.metric, chosen, window)
    missing = window is None or any(not item.came_back or _out_at_the_end(item) for item in chosen)
    if missing:
        state = ObjectiveState.MISSED if window else ObjectiveState.NOT_MEASURED
    elif measured is None:
        state = ObjectiveState.NOT_MEASURED
    else:
        state = ObjectiveState.MET if measured <= objective.limit else ObjectiveState.MISSED
    return ObjectiveResult(
        id=objective.id,
        title=objective.title,
        state=state,
        limit=objective.limit,
        measured=measured,
        unit=objective.unit,
        source=objective.source,
    )


def _out_at_the_end(item: GatewayTimes) -> bool:
    """Its connection broke and no log-in was seen to last: whatever it took, it is not 0 s."""
    return item.broken_at is not None and item.login_at is None


def _measured(metric: Metric, times: Sequence[GatewayTimes], window: Window | None) -> float | None:
    """The figure that an objective limits. A connection that never broke was out for 0 s; no gateway, no figure;
    one gap that was not measured, no largest gap.
    """
    if not times or window is None:
        return None
    last = max((item.login_at or window.fault_at for item in times), default=window.fault_at)
    match metric:
        case Metric.SWITCH_TIME:
            return max(item.switch_s or 0.0 for item in times)
        case Metric.RECOVERY_TIME:
            return last - window.fault_at
        case Metric.DR_DEADLINE:
            return (last - window.fault_at) / _DAY_S
        case Metric.DATA_GAP:
            gaps = [item.gap_s for item in times if item.gap_s is not None]
            return max(gaps) if len(gaps) == len(times) else None
