"""How long gateways were out in trading hours, against the limit from which an incident is to be reported."""

from typing import Annotated

from pydantic import Field

from orchestrator.model.base import Frozen
from orchestrator.model.topology import GatewayClass


class Outage(Frozen):
    """One gateway number, or with `number` None a class as a whole: out while some number of it was out.

    All spans are seconds. `counted_s` is what of `out_s` lies in session hours.
    """

    gateway_class: GatewayClass
    number: str | None
    out_s: float
    counted_s: float
    at_least: Annotated[bool, Field(description="It was out at the first look already: the true span is longer")]
    unknown_day: Annotated[bool, Field(description="Nobody knows whether a day of it trades: it counts as one")]
    still_out: bool
