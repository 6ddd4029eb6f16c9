"""What is asked of the planner. Data only."""

from dataclasses import dataclass
from datetime import date

from orchestrator.model.drill import Response
from orchestrator.model.plan import Fault
from orchestrator.model.topology import GatewayClass, Topology


@dataclass(frozen=True)
class Question:
    """What is asked of the planner, with every reference resolved.

    Beside the fault there may be parts of the firm's own that fail: CE routers, gateways and certificates.
    """

    topology: Topology
    fault: Fault
    response: Response
    out_of_service: tuple[str, ...]
    move_to: str | None
    classes: tuple[GatewayClass, ...]
    today: date
    routers: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    last_resort: str | None = None  # the operator to whom every terrestrial line is lost: its satellite may be used
