"""The ways by which NEEQ/BSE market data comes in: TCP, the other centre's TCP, multicast, satellite. Pure.

SSCC-2.4: TCP is the primary way in, multicast the backup. So a TCP gateway goes to the other centre's TCP as long as
there is any; only where none is left do the multicast receivers, which run beside it all the time, carry its business:
terrestrial first, then the one-way satellite, by their own lists. TCP is primary again once the fault is lifted.
"""

from orchestrator.errors import DefinitionError
from orchestrator.model.base import Title
from orchestrator.model.drill import Drill, FaultManner, MarketDataLoss
from orchestrator.model.plan import Action, Fault, GatewayChange, Placement
from orchestrator.model.topology import CentreRole, Front, Gateway, GatewayClass, Topology
from orchestrator.planner.entry import entry_of
from orchestrator.planner.network import Network
from orchestrator.planner.question import Question
from orchestrator.planner.standby import pair_goes_on, runs


def market_data_lost(topology: Topology, drill: Drill, centres: tuple[str, ...], loss: MarketDataLoss) -> Fault:
    """The fronts that fall silent. `centres`: one of the operator's; with one-tcp those where TCP is lost."""
    if not centres:
        raise DefinitionError(
            f"drill {drill.drill}: fault.centres: expected a centre beside fault.market_data, found none"
        )
    operators = {topology.centre[name].operator for name in centres}
    places = set(centres) if loss is MarketDataLoss.ONE_TCP else _production(topology, operators)
    lost = tuple(front.id for front in topology.fronts if front.centre in places and _is_lost(front, loss))
    return Fault(manner=FaultManner.DARK, fronts=lost)


def _production(topology: Topology, operators: set[str]) -> set[str]:
    return {item.id for item in topology.centres if item.operator in operators and item.role is CentreRole.PRODUCTION}


def _is_lost(front: Front, loss: MarketDataLoss) -> bool:
    if front.service is GatewayClass.MARKET_DATA_TCP:
        return True
    terrestrial = front.service is GatewayClass.MARKET_DATA_MULTICAST and not front.satellite
    return terrestrial and loss is MarketDataLoss.TERRESTRIAL


def backed_up(question: Question, gateway: Gateway, start: Placement, during: Network) -> GatewayChange | None:
    """The entry of a market-data gateway whose fronts are all lost, while another way carries its business; None: none
    does, or something else was lost.
    """
    if not question.fault.fronts:
        return None
    if gateway.receives_only:
        return pair_goes_on(question, gateway, start, during)
    receiver = _receiver(question, gateway, during) if gateway.gateway_class is GatewayClass.MARKET_DATA_TCP else None
    if receiver is None:
        return None
    change = entry_of(gateway, start, None, Action.PAIR, gateway.servers, _by_multicast(gateway, receiver))
    return change.model_copy(update={"standby": receiver.id})


def _receiver(question: Question, gateway: Gateway, during: Network) -> Gateway | None:
    """A multicast receiver of the same operator that hears a source still; one in the same room before the others."""
    topology = question.topology
    operator = _operator(topology, gateway)
    hearing = [
        item
        for item in topology.gateways
        if item.enabled
        and item.receives_only
        and runs(question, item)
        and _operator(topology, item) == operator
        and any(during.line_of(item, topology.front[name]) for name in item.servers)
    ]
    room = topology.host[gateway.host].room
    return min(hearing, key=lambda item: topology.host[item.host].room != room, default=None)


def _operator(topology: Topology, gateway: Gateway) -> str:
    return topology.centre[topology.front[gateway.servers[0]].centre].operator


def _by_multicast(gateway: Gateway, receiver: Gateway) -> Title:
    return Title(
        zh=f"全部 TCP 行情不可用，由组播行情网关 {receiver.id}（网关号 {receiver.number}）承接；"
        f"故障解除后 {gateway.id} 恢复为主用",
        en=f"TCP market data is lost at every centre; multicast receiver {receiver.id} ({receiver.number}) carries it "
        f"until {gateway.id} is primary again",
    )
