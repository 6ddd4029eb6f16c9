"""An operator has suspended the firm's access (SSCC-5.2): everything of theirs is silent, and nothing is moved. Pure.

No other carrier, no satellite and no other centre is a way out: it is the operator's own measure, and whoever logs in
elsewhere meanwhile goes against it. So every gateway keeps its list and its process, nothing is started, and the
gateways come back at their own pace once the access is there again.
"""

from orchestrator.errors import DefinitionError, Refused
from orchestrator.model.base import Title
from orchestrator.model.drill import Drill, FaultManner, Response
from orchestrator.model.plan import Action, Fault, GatewayChange
from orchestrator.model.topology import Gateway, Topology
from orchestrator.planner.entry import entry_of
from orchestrator.planner.network import lines_lost, under
from orchestrator.planner.placement import start_of
from orchestrator.planner.question import Question


def suspension(topology: Topology, drill: Drill, operator: str) -> Fault:
    """Every centre of the operator, the disaster-recovery one too, and every line into one of them falls silent."""
    centres = tuple(item.id for item in topology.centres if item.operator == operator)
    if not centres:
        known = ", ".join(sorted({item.operator for item in topology.centres}))
        raise DefinitionError(
            f"drill {drill.drill}: fault.suspended_by: expected an operator of centres of this site ({known}), "
            f"found {operator!r}"
        )
    return Fault(
        manner=FaultManner.DARK,
        centres=centres,
        lines=lines_lost(topology, centres, (), ()),
        suspended_by=operator,
    )


def refuse_moves(fault: Fault, response: Response) -> None:
    """Nobody flies from a suspension."""
    if fault.suspended_by and response is not Response.OBSERVE:
        raise Refused(
            "ACCESS_SUSPENDED",
            f"expected --response observe where {fault.suspended_by} has suspended the access, found {response}: "
            "nothing is moved before they have answered",
        )


def suspended_changes(question: Question) -> tuple[GatewayChange, ...]:
    """One entry for each enabled gateway: suspended, or not affected."""
    topology = question.topology
    before = under(topology, Fault(manner=question.fault.manner), question.out_of_service)
    found = []
    for gateway in topology.gateways:
        start = start_of(topology, gateway, before) if gateway.enabled else None
        if start is None:
            continue
        if topology.centre[start.centre].operator == question.fault.suspended_by:
            change = entry_of(gateway, start, None, Action.SUSPENDED, gateway.servers, _stays(topology, gateway))
        else:
            change = entry_of(gateway, start, start, Action.NONE, gateway.servers, _elsewhere(topology, start.centre))
        found.append(change)
    return tuple(found)


def _stays(topology: Topology, gateway: Gateway) -> Title:
    operator = topology.centre[topology.front[gateway.servers[0]].centre].operator.upper()
    return Title(
        zh="接入被暂停：列表、进程与路由均保持原状，不改走其他运营商、卫星或北京灾备",
        en=f"{operator} has suspended the access: all stays as it is; no other carrier, satellite or Beijing",
    )


def _elsewhere(topology: Topology, centre: str) -> Title:
    title = topology.centre[centre].title
    return Title(zh=f"当前连接{title.zh}，不受影响", en=f"connected to {title.en}, not affected")
