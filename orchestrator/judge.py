"""Journal + observations → verdict. Pure: record first, judge later; failed > unknown > passed."""

from collections.abc import Iterator, Sequence

from orchestrator.history import (
    StepResult,
    check_records,
    disaster_of,
    epoch_s,
    known_days,
    met_at,
    plan_now,
    promotion,
    questions,
    snapshots,
    standing,
    step_results,
)
from orchestrator.measure import (
    OnControllerClock,
    Window,
    class_times,
    declared_times,
    gateway_times,
    routes_on_controller_clock,
)
from orchestrator.model.base import Title
from orchestrator.model.disaster import DAY_S, deadline
from orchestrator.model.drill import Metric, Mode, Objective
from orchestrator.model.event import CheckResult, Event, EventKind, Outcome
from orchestrator.model.plan import Phase, Plan, Verb
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


# What a note makes of the outcome, and what it is called. Anything else is an error.
_NOTES = {
    "not_started": (RunOutcome.NOT_STARTED, "基线不满足，未开始", "baseline not met, not started"),
    "aborted": (RunOutcome.ABORTED, "已中止", "aborted"),
    "stop_condition": (RunOutcome.ABORTED, "达到停止条件，已中止", "a stop condition was met, aborted"),
    "fault_lapsed": (
        RunOutcome.INCONCLUSIVE,
        "故障失联自动恢复：执行中断超过时限，故障已自行解除，切换未能验证完整",
        "the fault lifted itself: the run was silent for longer than its lease",
    ),
    "not_confirmed": (
        RunOutcome.INCONCLUSIVE,
        "人工步骤未确认，不再向前执行",
        "a person's step was not confirmed, it went no further",
    ),
    "twin_gone": (
        RunOutcome.INCONCLUSIVE,
        "仿真环境已不存在，只能关闭本次运行",
        "its twin is gone, the run was closed",
    ),
    "changed_meanwhile": (
        RunOutcome.PASSED,
        "执行期间定义有改动，本次运行不受影响",
        "edited meanwhile, without effect",
    ),
    "second_room_behind": (
        RunOutcome.PASSED,
        "第二机房副本未能同步，本次运行不受影响",
        "the copy in the second room did not keep up, without effect",
    ),
}
_STOPS = ("aborted", "stop_condition")
_HARMLESS = ("changed_meanwhile", "second_room_behind")


def window_of(events: Sequence[Event], begins: Phase = Phase.SWITCHING) -> Window | None:
    """While the fault lasted, first on to first off (an incident: since the first switching step; a failback: since
    the first restoring one). None: no fault.
    """
    on = next((event.data["at"] for event in events if event.kind is EventKind.FAULT_ON), None)
    if on is None:
        on = next(
            (
                epoch_s(event)
                for event in events
                if event.kind is EventKind.STATE and event.data["state"] == begins.value
            ),
            None,
        )
    return None if on is None else Window(on, next(_ends_of_the_fault(events), None))


def _ends_of_the_fault(events: Sequence[Event]) -> Iterator[float]:
    """When it was lifted, or found to have lifted itself."""
    for event in events:
        if event.kind is EventKind.FAULT_OFF:
            yield event.data["at"]
        elif _is_note(event, "fault_lapsed"):
            yield event.data.get("at") or epoch_s(event)


def _is_note(event: Event, *what: str) -> bool:
    return event.kind is EventKind.NOTE and event.data["what"] in what


def judge(plan: Plan, topology: Topology, events: Sequence[Event], seen: Observations, chain_valid: bool) -> Verdict:
    """The verdict of a run, with the times of every gateway that the fault touches. What is not over is not judged.

    A drill that was promoted is judged as the incident that it became: from its fault on to its end.
    """
    promoted = promotion(plan, events) is not None
    plan = plan_now(plan, events)
    steps, window = step_results(events), window_of(events, moving(plan))
    if promoted and window:
        window = Window(window.fault_at, None)  # the clocks go on, whatever was lifted
    times = tuple(measured_times(plan, topology, steps, events, seen, window)) if window else ()
    unseen = _unseen(plan, topology, events, seen, window) if window else {}
    times = tuple(
        item.model_copy(update={"came_back": item.came_back and item.gateway not in unseen}) for item in times
    )
    over = window if window and _is_over(events, window) else None
    known = [item for item in times if over and item.gateway not in unseen]
    reasons = (*_reasons(plan, events, known), *unseen.values(), *_unfinished(plan, events))
    differences = tuple(_differences(plan, events))
    return Verdict(
        outcome=_outcome(reasons),
        restoration=_restoration(plan, events, differences),
        objectives=tuple(_judged(item, plan, topology, events, times, over) for item in plan.objectives),
        integrity=Integrity.UNSEALED if chain_valid else Integrity.BROKEN,
        reasons=tuple(reason for _, reason in reasons),
        gateways=times,
        classes=class_times(item for item in times if not item.action.stays_down),
        differences=differences,
        lists_changed=len(changed_lists(plan, steps)),
    )


def _is_over(events: Sequence[Event], window: Window) -> bool:
    """Whether the fault was ended on purpose, or a closed run ends it. One that lifted itself says nothing of what
    would have come, nor does a world that vanished.
    """
    if any(_is_note(event, "fault_lapsed") for event in events):
        return False
    closed = any(event.kind is EventKind.CLOSED for event in events)
    gone = any(_is_note(event, "twin_gone") for event in events)
    return window.lifted_at is not None or (closed and not gone)


def _unfinished(plan: Plan, events: Sequence[Event]) -> Iterator[tuple[RunOutcome, Title]]:
    """A run that is not closed is inconclusive, and says what it waits for."""
    if any(event.kind is EventKind.CLOSED for event in events):
        return
    title = {step.id: step.title for step in plan.steps}
    open_ones = questions(events)
    for item in open_ones:
        known = title.get(item.step)
        yield (
            RunOutcome.INCONCLUSIVE,
            Title(
                zh=f"尚未结束：步骤“{known.zh if known else item.step}”待人工决定",
                en=f"not closed: step {item.step} waits for a person",
            ),
        )
    if not open_ones:
        yield RunOutcome.INCONCLUSIVE, Title(zh="本次运行尚未结束", en="the run is not closed")


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
        if not change.action.stays_down
        and change.hands is None
        and window.lifted_at - last.get(change.gateway, 0.0) > late_s
    }


def changed_lists(plan: Plan, steps: Sequence[StepResult]) -> set[str]:
    """Gateways whose ordered list was really changed, in whichever attempt."""
    changing = Verb.RESTORE if plan.fails_back else Verb.REPOINT
    repoints = {step.id for step in plan.steps if step.verb is changing}
    by_hand = {step.id for step in plan.steps if step.moves_by_hand and not step.undoes}
    confirmed = {item.target for item in steps if item.step in by_hand and item.outcome is Outcome.SUCCEEDED}
    return confirmed | {item.target for item in steps if item.step in repoints and _changed(item)}


def _changed(item: StepResult) -> bool:
    """The host says so; of an attempt that was cut off, what was found afterwards."""
    if "changed" in item.data:
        return bool(item.data["changed"]) and not item.data.get("rolled_back")
    return item.settled_by in ("look", "decision") and item.outcome is Outcome.SUCCEEDED


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
    series = OnControllerClock(topology, seen.samples, seen.stamps, stopped, offset_s)
    routes = routes_on_controller_clock(seen.routes, offset_s)
    changed = changed_lists(plan, steps)
    for change in plan.affected:
        if change.hands:
            yield declared_times(change, _word_of(plan, steps, change.gateway))
            continue
        times = gateway_times(plan, topology, change, series[change.gateway], routes, window, change.gateway in changed)
        yield _since_its_standby(times, stopped.get(change.standby or "", ())) if plan.fails_back else times


def _word_of(plan: Plan, steps: Sequence[StepResult], gateway: str) -> float | None:
    """When a person says that this gateway was logged in again during the fault; None: nobody has said so."""
    asked = {
        step.id for step in plan.steps if step.phase in (Phase.SWITCHING, Phase.VERIFYING) and gateway in step.by_hand
    }
    said = [item for item in steps if item.step in asked and "at" in item.data]
    return float(said[-1].data["at"]) if said and said[-1].outcome is Outcome.SUCCEEDED else None


def _since_its_standby(times: GatewayTimes, stopped_at: Sequence[float]) -> GatewayTimes:
    """A number that comes home from a standby was served until that was stopped."""
    if not stopped_at or times.login_at is None:
        return times
    return times.model_copy(update={"broken_at": stopped_at[0], "switch_s": max(0.0, times.login_at - stopped_at[0])})


def moving(plan: Plan) -> Phase:
    """The phase in which gateways move where no fault is made."""
    return Phase.RESTORING if plan.fails_back else Phase.SWITCHING


def _reasons(plan: Plan, events: Sequence[Event], times: Sequence[GatewayTimes]) -> Iterator[tuple[RunOutcome, Title]]:
    """Everything that has to do with the outcome, each with what it makes of it."""
    yield from _noted(plan, events)
    yield from _step_reasons(plan, standing(events))
    yield from _gateway_reasons(plan, times)
    yield from _unverified(plan, events)
    yield from _check_reasons(plan, events)


def _step_reasons(plan: Plan, steps: Sequence[StepResult]) -> Iterator[tuple[RunOutcome, Title]]:
    """Steps that failed or cannot be told. An attempt that was cut off and has to be made again is neither."""
    phase = {step.id: step.phase for step in plan.steps}
    title = {step.id: step.title.zh for step in plan.steps}
    number = _numbers(plan)
    of_people = {step.id for step in plan.steps if step.verb is Verb.CONFIRM}
    for item in steps:
        switches = phase.get(item.step) in (Phase.INJECTING, Phase.SWITCHING)
        if not (switches or item.step in of_people) or item.undo or item.again:
            continue
        name = f"步骤“{title[item.step]}”（{number.get(item.target, item.target)}）"
        if item.outcome is Outcome.FAILED:
            en = f"step {item.step} failed on {item.target}: {item.message}"
            yield RunOutcome.FAILED, Title(zh=f"{name}失败：{item.message}", en=en)
        elif item.outcome in (Outcome.INDETERMINATE, Outcome.TIMED_OUT):
            en = f"step {item.step} on {item.target} cannot be told: {item.message}"
            yield RunOutcome.INCONCLUSIVE, Title(zh=f"{name}结果不明：{item.message}", en=en)


def _check_reasons(plan: Plan, events: Sequence[Event]) -> Iterator[tuple[RunOutcome, Title]]:
    """Checks after the switch, of every attempt: what was abnormal once was abnormal."""
    number = _numbers(plan)
    for record in check_records(events):
        if record.phase != Phase.VERIFYING.value:
            continue
        checked = f"“{CHECK_ZH.get(record.check, record.check)}”（{number.get(record.target, record.target)}）"
        said = f"check {record.check} of {record.target} after the switch"
        if record.result is CheckResult.ABNORMAL:
            zh = f"切换后检查{checked}异常：预期 {record.expected}，实际 {record.found}"
            yield RunOutcome.FAILED, Title(zh=zh, en=f"{said}: expected {record.expected}, found {record.found}")
        elif record.could_not_look:
            zh = f"切换后检查{checked}无法查看：{record.found}"
            yield RunOutcome.INCONCLUSIVE, Title(zh=zh, en=f"{said} could not look: {record.found}")


def _numbers(plan: Plan) -> dict[str, str]:
    return {change.gateway: change.number for change in plan.gateways}


def _unverified(plan: Plan, events: Sequence[Event]) -> Iterator[tuple[RunOutcome, Title]]:
    """Checks after the switch that the plan has and nobody made. A run that ended early says why by a note."""
    planned = any(step.checks for step in plan.steps if step.phase is Phase.VERIFYING)
    made = any(record.phase == Phase.VERIFYING.value for record in check_records(events))
    ended = any(event.kind is EventKind.NOTE and not _is_note(event, *_HARMLESS) for event in events)
    if planned and not made and not ended:
        yield RunOutcome.INCONCLUSIVE, Title(zh="切换后检查未执行", en="the checks after the switch were not made")


def _noted(plan: Plan, events: Sequence[Event]) -> Iterator[tuple[RunOutcome, Title]]:
    """What the notes say. An incident that was stopped, held and then taken up again was not aborted."""
    taken_up = max((event.seq for event in events if event.kind is EventKind.RESUMED), default=0)
    for event in events:
        if event.kind is not EventKind.NOTE:
            continue
        what, text = event.data["what"], event.data["text"]
        outcome, zh, en = _NOTES.get(what, (RunOutcome.FAILED, "执行出错", "error"))
        if plan.mode is Mode.INCIDENT and what in _STOPS and event.seq < taken_up:
            outcome, zh, en = RunOutcome.PASSED, "曾停止并保持，其后继续", "stopped and held, then taken up again"
        if "suspects" in event.data and outcome is RunOutcome.ABORTED:  # a second failure is told in its own words
            yield outcome, Title(zh=event.data["zh"], en=event.data["en"])
        else:
            yield outcome, Title(zh=f"{zh}：{text}", en=f"{en}: {text}")


def _gateway_reasons(plan: Plan, times: Sequence[GatewayTimes]) -> Iterator[tuple[RunOutcome, Title]]:
    by_id = {change.gateway: change for change in plan.gateways}
    for item in times:
        change = by_id[item.gateway]
        if change.action.stays_down or change.after is None:
            continue
        if item.declared_by and not item.came_back:
            yield (
                RunOutcome.INCONCLUSIVE,
                Title(
                    zh=f"网关 {item.number} 未采样，{item.declared_by} 未确认其登录恢复",
                    en=f"gateway {item.gateway} ({item.number}) is not measured, and {item.declared_by} has not "
                    "confirmed that it logged in again",
                ),
            )
        elif not item.came_back:
            receives = item.gateway_class is GatewayClass.MARKET_DATA_MULTICAST
            zh, en = ("未恢复接收行情", "did not receive again") if receives else ("未恢复登录", "did not log in again")
            when_zh, when_en = ("在应急前位置", "at home") if plan.fails_back else ("故障期间", "during the fault")
            yield (
                RunOutcome.FAILED,
                Title(
                    zh=f"网关 {item.number} {when_zh}{zh}",
                    en=f"gateway {item.gateway} ({item.number}) {en} {when_en}",
                ),
            )
        elif not plan.is_promoted and item.line_during != change.after.line and item.line_during is not None:
            yield (
                RunOutcome.FAILED,
                Title(
                    zh=f"网关 {item.number} 实际经线路 {item.line_during}，预期经线路 {change.after.line}",
                    en=f"gateway {item.gateway} goes over {item.line_during}, expected {change.after.line}",
                ),
            )


def _outcome(reasons: Sequence[tuple[RunOutcome, Title]]) -> RunOutcome:
    found = {outcome for outcome, _ in reasons}
    for worst in (RunOutcome.NOT_STARTED, RunOutcome.ABORTED, RunOutcome.FAILED, RunOutcome.INCONCLUSIVE):
        if worst in found:
            return worst
    return RunOutcome.PASSED


_BACK = (Phase.RESTORING, Phase.PROVING_RESTORATION)
_PROVED = ("running", "endpoints", "config_sha256", "owner", "mode", "session", "logged_in")


def _differences(plan: Plan, events: Sequence[Event]) -> Iterator[Difference]:
    """What is not as in the snapshot before: configurations by digest, sessions, routes, residue. A failback is
    compared with how it was before the incident.
    """
    taken = snapshots(events)
    if "before" not in taken or "after" not in taken:
        return
    before, after = taken["before"], taken["after"]
    if plan.fails_back:
        before = plan.fails_back.over(before)
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
    """Whether the state before is proved to be back. Not applicable where nothing was touched, in an incident, and
    where the twin is gone.
    """
    begun = {item.step for item in standing(events) if item.settled_by != "never begun"}
    gone = any(_is_note(event, "twin_gone") for event in events)
    if begun.isdisjoint(plan.touching) or plan.mode is Mode.INCIDENT or gone:
        return Restoration.NOT_APPLICABLE
    return Restoration.NOT_PROVED if unproved(plan, events, differences) else Restoration.PROVED


def unproved(plan: Plan, events: Sequence[Event], differences: Sequence[Difference] | None = None) -> dict[str, str]:
    """What keeps restoration from being proved, by target; nothing: it is proved."""
    phase = {step.id: step.phase for step in plan.steps}
    good = (Outcome.UNDONE, Outcome.SUCCEEDED, Outcome.SKIPPED)
    results = standing(events)
    waits = {step.id for step in plan.steps if step.verb is Verb.WAIT}  # a condition: its newest attempt is all of it
    of_people = {step.id for step in plan.steps if step.verb is Verb.CONFIRM and step.phase in _BACK}
    newest: dict[str, int] = {}
    for item in results:
        if item.step in waits:
            newest[item.step] = max(item.attempt, newest.get(item.step, 0))
    gaps = {
        item.target: f"{item.step}: {item.message or item.outcome.value}"
        for item in results
        if (phase.get(item.step) is Phase.RESTORING or item.step in of_people) and item.outcome not in good
        if item.attempt == newest.get(item.step, item.attempt)
    }
    proving = [record for record in check_records(events) if record.phase == Phase.PROVING_RESTORATION.value]
    bad = (item for item in proving if item.result is CheckResult.ABNORMAL or item.could_not_look)
    gaps |= {item.target: f"{item.check}: expected {item.expected}, found {item.found}" for item in bad}
    after = snapshots(events).get("after")
    if after is None or not proving:
        gaps["site"] = "the state afterwards was not taken"
    else:
        gaps |= after["unreachable"]
    found = tuple(_differences(plan, events)) if differences is None else differences
    return gaps | {item.target: f"{item.field}: expected {item.before}, found {item.after}" for item in found}


def _judged(
    objective: Objective,
    plan: Plan,
    topology: Topology,
    events: Sequence[Event],
    times: Sequence[GatewayTimes],
    window: Window | None,
) -> ObjectiveResult:
    """D+N is judged by its milestones where the plan has any; everything else by what was measured at the gateways."""
    found = _objective(objective, times, window)
    if objective.metric is not Metric.DR_DEADLINE or window is None or found.measured is None:
        return found
    d = disaster_of(plan, events).by(topology.site.disaster.d_definition) or window.fault_at
    last = _last_milestone(plan, events) if plan.milestones else window.fault_at + found.measured * DAY_S
    if last is None:
        return found.model_copy(update={"state": ObjectiveState.MISSED, "measured": None})
    limit = deadline(d, int(objective.limit), topology.site.timezone, known_days(events)).counts
    in_time = last <= limit and found.state is ObjectiveState.MET
    state = ObjectiveState.MET if in_time else ObjectiveState.MISSED
    return found.model_copy(update={"state": state, "measured": (last - d) / DAY_S})


def _last_milestone(plan: Plan, events: Sequence[Event]) -> float | None:
    """None: not every one was met."""
    met = [met_at(item, events) for item in plan.milestones]
    reached = [at for at in met if at is not None]
    return max(reached) if len(reached) == len(met) else None


def _objective(objective: Objective, times: Sequence[GatewayTimes], window: Window | None) -> ObjectiveResult:
    chosen = [
        item
        for item in times
        if not item.action.stays_down and (not objective.classes or item.gateway_class in objective.classes)
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
    one gap that was not measured, no largest gap. A person's word is no measurement: it can only make it later.
    """
    if all(item.declared_by for item in times) or window is None:
        return None
    last = max((item.login_at or window.fault_at for item in times), default=window.fault_at)
    match metric:
        case Metric.SWITCH_TIME:
            return max(item.switch_s or 0.0 for item in times if not item.declared_by)
        case Metric.RECOVERY_TIME:
            return last - window.fault_at
        case Metric.DR_DEADLINE:
            return (last - window.fault_at) / DAY_S
        case Metric.DATA_GAP:
            measured = [item for item in times if not item.declared_by]
            gaps = [item.gap_s for item in measured if item.gap_s is not None]
            return max(gaps) if len(gaps) == len(measured) else None
