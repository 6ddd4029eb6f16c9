"""What is asked of the planner. Data only."""

from dataclasses import dataclass
from datetime import date

from orchestrator.model.drill import Response
from orchestrator.model.plan import Fault
from orchestrator.model.topology import GatewayClass, Topology


@dataclass(frozen=True)
class Question:
    """What is asked of the planner, with every reference resolved."""

    topology: Topology
    fault: Fault
    response: Response
    out_of_service: tuple[str, ...]
    move_to: str | None
    classes: tuple[GatewayClass, ...]
    today: date
