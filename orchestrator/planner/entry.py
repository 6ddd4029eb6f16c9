"""One gateway's entry in a plan. Pure."""

from orchestrator.model.base import Title
from orchestrator.model.plan import Action, GatewayChange, Placement
from orchestrator.model.topology import Gateway


def entry_of(
    gateway: Gateway,
    before: Placement | None,
    after: Placement | None,
    action: Action,
    servers: tuple[str, ...],
    reason: Title,
) -> GatewayChange:
    """`servers` is its list while the fault lasts."""
    return GatewayChange(
        gateway=gateway.id,
        number=gateway.number,
        gateway_class=gateway.gateway_class,
        host=gateway.host,
        action=action,
        before=before,
        after=after,
        list_before=gateway.servers,
        list_after=servers,
        reason=reason,
    )
