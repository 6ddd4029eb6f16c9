"""The way home after an incident: a plan of its own, made of what the incident's journal says that it left. Pure.

An incident goes forward only. Its plan says where everything was; this one takes the restoring steps that the same
drill would have had, leaves out what the incident never did, and begins nothing while the fault is still there. The
order is that of any restoration: paths, numbers back from their standbys and fences down, lists, gateways home.
A gateway that the incident's fault did not touch is not touched.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from orchestrator.errors import Refused
from orchestrator.history import StepResult, plan_now, snapshots, step_results
from orchestrator.model.base import Title
from orchestrator.model.drill import Check, Drill, Mode, Response
from orchestrator.model.event import Event, EventKind, Outcome
from orchestrator.model.failback import FailsBack
from orchestrator.model.plan import Action, GatewayChange, PathChange, Phase, Plan, Step, Target, Verb, digest_of
from orchestrator.model.topology import Topology
from orchestrator.planner.build import numbered
from orchestrator.planner.network import Network
from orchestrator.planner.steps import CHECKS_S, all_steps

FAULT_GONE = "check-fault-gone"
_KEPT = (Phase.PRECHECKING, Phase.BASELINING, Phase.RESTORING, Phase.PROVING_RESTORATION)
_FILE = ("config_sha256", "owner", "mode")


@dataclass(frozen=True)
class Past:
    """The incident's run, as its journal has it."""

    run: str
    plan: Plan
    events: Sequence[Event]

    @cached_property
    def now(self) -> Plan:
        """Its plan as it ended: a drill may have become an incident."""
        return plan_now(self.plan, self.events)

    @cached_property
    def results(self) -> list[StepResult]:
        return step_results(self.events)

    @cached_property
    def before(self) -> Mapping[str, Mapping[str, Any]]:
        """Gateways of the snapshot that it took before it changed anything."""
        found: Mapping[str, Mapping[str, Any]] = snapshots(self.events).get("before", {}).get("gateways", {})
        return found

    def begun(self, *verbs: Verb) -> set[str]:
        """Targets on which a step of these verbs had, or may have had, an effect."""
        steps = {step.id for step in self.plan.steps if step.verb in verbs}
        return {item.target for item in self.results if item.step in steps and _may_have_happened(item)}

    def left(self, gateway: str) -> str | None:
        """Digest of a file as the run left it: what it has written last, else what it saw after the switch."""
        written = [item.data["sha256_after"] for item in self.results if _wrote(item, gateway)]
        during = snapshots(self.events).get("during", {}).get("gateways", {})
        found: str | None = written[-1] if written else during.get(gateway, {}).get("config_sha256")
        return found

    @cached_property
    def changed(self) -> dict[str, str]:
        """Gateway → digest, of the files that are not as they were before it."""
        touched = self.begun(Verb.REPOINT, Verb.TAKE_OVER)
        known = {name: self.left(name) for name in touched if self.before.get(name, {}).get("config_sha256")}
        return {name: left for name, left in known.items() if left and left != self.before[name]["config_sha256"]}


def _may_have_happened(item: StepResult) -> bool:
    return item.outcome is not Outcome.SKIPPED and item.settled_by != "never begun"


def _wrote(item: StepResult, gateway: str) -> bool:
    return item.target == gateway and bool(item.data.get("sha256_after"))


def _refuse_other_certificates(past: Past) -> None:
    """Whether the old one is unlocked or issued again, and under which name, only people know."""
    changed = [item.gateway for item in past.plan.gateways if item.action is Action.CERTIFICATE]
    if changed:
        raise Refused(
            "CERTIFICATE_BY_HAND",
            f"run {past.run}: expected moved gateways, found other certificates at {', '.join(changed)}; enter the one "
            "that is to be used in the inventory and in the vendor's file once it is unlocked or issued again",
        )


def make_failback(topology: Topology, inventory_digest: str, drill: Drill, past: Past, today: date) -> Plan:
    """The plan that brings everything home that an incident has moved. Refused by name where there is none."""
    _refuse_what_is_no_incident(past)
    _refuse_another_site(topology, past.plan)
    _refuse_other_certificates(past)
    changes = numbered(topology, tuple(_changes(past)))
    paths = _paths(past)
    affected = [change for change in changes if change.action is not Action.NONE]
    if not affected:
        raise Refused("NOTHING_TO_BRING_HOME", f"run {past.run}: expected gateways that it moved, found none")
    _refuse_certificates(topology, affected, today)
    title = drill.title
    return Plan(
        drill=drill.drill,
        title=Title(zh=f"回切：{title.zh}", en=f"Failback: {title.en}"),
        site=topology.site.name,
        mode=Mode.DRILL,
        response=Response.REPOINT,
        parameters=past.plan.parameters,
        clauses=(),
        fault=past.now.fault,
        inventory_digest=inventory_digest,
        drill_digest=digest_of(drill.canonical()),
        gateways=tuple(_homeward(change) for change in changes),
        paths=paths,
        out_of_service=past.plan.out_of_service,
        objectives=(),
        checks=drill.checks,
        steps=tuple(_steps(topology, drill, past, changes, paths)),
        notes=(_note(past), *_by_hand(past)),
        fails_back=_reference(topology, past, affected),
    )


# -- refusals -----------------------------------------------------------------------------------------


def _refuse_what_is_no_incident(past: Past) -> None:
    if past.now.mode is not Mode.INCIDENT:
        found = f"a {past.plan.kind}, which goes back by itself"
        raise Refused("NOT_AN_INCIDENT", f"run {past.run}: expected an incident, found {found}")
    if not any(event.kind is EventKind.CLOSED for event in past.events):
        raise Refused(
            "RUN_NOT_CLOSED",
            f"run {past.run}: expected it to be closed, found it open; `drillctl status {past.run}` says what it needs",
        )


def _refuse_another_site(topology: Topology, plan: Plan) -> None:
    """Home is where the inventory had a gateway when the incident began, and it must be so still."""
    for change in plan.affected:
        gateway = topology.gateway.get(change.gateway)
        now = (gateway.number, gateway.host, gateway.servers) if gateway else None
        if now != (change.number, change.host, change.list_before):
            raise Refused(
                "SITE_CHANGED",
                f"gateway {change.gateway} ({change.number}): expected it in the inventory as when the incident began "
                f"(host {change.host}, list {', '.join(change.list_before)}), found it edited; put that back first",
            )


def _refuse_certificates(topology: Topology, affected: Sequence[GatewayChange], today: date) -> None:
    """SSE-4.5: going home starts a gateway again, so its certificate has to be valid."""
    known = {item.id: item for item in topology.certificates}
    for change in affected:
        used = known.get(change.before.certificate or "") if change.before else None
        if used and not used.valid_from <= today <= used.valid_to:
            raise Refused(
                "CERTIFICATE_NOT_VALID",
                f"gateway {change.gateway}: certificate {used.id} is valid {used.valid_from} to {used.valid_to}, not "
                f"on {today}; renew it first",
            )


# -- what the incident did ------------------------------------------------------------------------------


def _changes(past: Past) -> Iterator[GatewayChange]:
    """The incident's own entries, as far as it came. `before` is home still."""
    fenced, started = past.begun(Verb.FENCE), past.begun(Verb.TAKE_OVER)
    for change in past.plan.gateways:
        match change.action:
            case _ if change.hands:  # who has moved it brings it home, too: nothing of ours connects there
                stays = {"action": Action.NONE, "after": change.before, "list_after": change.list_before}
                yield change.model_copy(update=stays)
            case Action.REPOINT if change.gateway not in past.changed:
                stays = {"action": Action.OWN_LIST, "list_after": change.list_before}
                yield change.model_copy(update=stays)
            case Action.TAKEN_OVER if change.gateway not in fenced:
                yield change.model_copy(update={"action": Action.HOT_STANDBY, "standby": None})
            case Action.TAKE_OVER if change.stands_in_for not in fenced and change.gateway not in started:
                yield change.model_copy(update={"action": Action.NONE, "after": None, "stands_in_for": None})
            case _:
                yield change


def _by_hand(past: Past) -> Iterator[Title]:
    """What this run leaves to people."""
    theirs = [change for change in past.plan.affected if change.hands]
    for hands in dict.fromkeys(change.hands for change in theirs):
        numbers = [change.number for change in theirs if change.hands == hands]
        yield Title(
            zh=f"非脚本化主机上的网关不在本次回切内，由 {hands} 人工改回应急前列表：{'、'.join(numbers)}",
            en="gateways on hosts that are not scriptable are no part of this failback; by hand of "
            f"{hands}, with the list before the incident: {', '.join(numbers)}",
        )


def _paths(past: Past) -> tuple[PathChange, ...]:
    moved = past.begun(Verb.PATH)
    return tuple(path for path in past.plan.paths if path.name in moved)


def _homeward(change: GatewayChange) -> GatewayChange:
    """The same entry, seen from where the incident has put it."""
    untouched = change.action is Action.NONE
    stops = change.before is None
    return change.model_copy(
        update={
            "action": Action.NONE if untouched else Action.GIVE_BACK if stops else Action.HOME,
            "before": change.after,
            "after": change.before,
            "list_before": change.list_after,
            "list_after": change.list_before,
            "reason": change.reason if untouched else _reason(change),
        }
    )


def _reason(change: GatewayChange) -> Title:
    if change.before is None:
        return Title(zh="冷备退出，网关号交还原主机", en="the cold standby gives its number back")
    if change.action is Action.REPOINT:
        return Title(zh="列表复原，重连应急前所在中心", en="its list goes back, and it reconnects where it was before")
    return Title(zh="重连应急前所在中心", en="it reconnects where it was before the incident")


def _reference(topology: Topology, past: Past, affected: Sequence[GatewayChange]) -> FailsBack:
    network = Network(topology, dead_lines=frozenset(past.plan.out_of_service))
    return FailsBack(
        run=past.run,
        plan_digest=past.plan.digest,
        gateways={change.gateway: _state(topology, past, change) for change in affected},
        routers={router.id: _lines(network, router.id, router.paths) for router in topology.routers},
        residue=snapshots(past.events).get("before", {}).get("residue", {}),
        left=past.changed,
    )


def _lines(network: Network, router: str, centres: Mapping[str, object]) -> dict[str, str]:
    lines = {centre: network.line_to(router, centre) for centre in centres}
    return {centre: line for centre, line in lines.items() if line is not None}


def _state(topology: Topology, past: Past, change: GatewayChange) -> dict[str, Any]:
    """Where it is by the inventory; its file, if the incident changed it, as it was before that."""
    home, gateway = change.before, topology.gateway[change.gateway]
    found: dict[str, Any] = {
        "running": home is not None,
        "endpoints": [topology.front[name].endpoint for name in change.list_before],
        "logged_in": home is not None,
    }
    if not gateway.receives_only:
        found["session"] = topology.front[home.front].endpoint if home else None
    if change.gateway in past.changed:
        found |= {name: past.before[change.gateway].get(name) for name in _FILE if name in past.before[change.gateway]}
    return found


# -- steps ----------------------------------------------------------------------------------------------


def _steps(
    topology: Topology, drill: Drill, past: Past, changes: Sequence[GatewayChange], paths: Sequence[PathChange]
) -> list[Step]:
    """The restoring steps of the drill. What they undo are the incident's own steps."""
    whole = all_steps(topology, drill, Mode.DRILL, Response.REPOINT, changes, paths)
    started = past.begun(Verb.TAKE_OVER)
    kept = [step for step in whole if step.phase in _KEPT and step.verb is not Verb.LIFT]
    steps = [_only(step, started) if step.verb is Verb.GIVE_BACK else step for step in kept]
    asked = any(can_ask(topology, _homeward(change)) for change in changes)
    steps = [step for step in steps if step.targets and (asked or not _is_baseline_check(step))]
    known = {step.id: {target.name for target in step.targets} for step in steps}
    return [_told(_resting_on(step, known)) for step in steps]


def can_ask(topology: Topology, change: GatewayChange) -> bool:
    """Whether the host of a gateway that goes home can see that its front answers: not from behind a fence."""
    goes_home = change.action is Action.HOME and change.standby is None
    return goes_home and not topology.gateway[change.gateway].receives_only


def _is_baseline_check(step: Step) -> bool:
    return step.verb is Verb.CHECK and step.phase is Phase.BASELINING


def _only(step: Step, gateways: set[str]) -> Step:
    return step.model_copy(update={"targets": tuple(item for item in step.targets if item.name in gateways)})


def _resting_on(step: Step, known: Mapping[str, set[str]]) -> Step:
    """What it needs of this plan's own steps. What it needed of the way forward is what the incident has done."""
    return step.model_copy(update={"targets": tuple(_needing(target, known) for target in step.targets)})


def _needing(target: Target, known: Mapping[str, set[str]]) -> Target:
    if "requires" not in target.arguments:
        return target
    needs = [need for need in target.arguments["requires"] if need["target"] in known.get(need["step"], ())]
    needed = [{"step": need["step"], "target": need["target"]} for need in needs]
    return target.model_copy(update={"arguments": {**target.arguments, "requires": needed}})


_TITLES = {
    "snapshot": Title(zh="采集回切前状态", en="take the state before the failback, and see that the fault is gone"),
    FAULT_GONE: Title(zh="确认应急前所连通信服务器可达", en="see that the fronts of home answer"),
    "own-return": Title(zh="等待网关自行登录", en="wait for gateways to come home by themselves"),
    "settle-back": Title(zh="等待全部网关回到应急前状态", en="wait until every gateway is home"),
    "prove": Title(zh="与应急前基线比对", en="compare with the baseline before the incident"),
}


def _told(step: Step) -> Step:
    if _is_baseline_check(step):
        fields = {"id": FAULT_GONE, "checks": (Check.TCP,), "title": _TITLES[FAULT_GONE], "deadline_s": CHECKS_S}
        return step.model_copy(update=fields)
    plain = Title(zh=step.title.zh.replace("演练前", "应急前"), en=step.title.en)
    return step.model_copy(update={"title": _TITLES.get(step.id, plain)})


def _note(past: Past) -> Title:
    return Title(
        zh=f"本预案为应急处置 {past.run} 的回切；故障未排除时不会开始",
        en=f"this brings home what incident {past.run} moved; it does not begin while the fault is still there",
    )
