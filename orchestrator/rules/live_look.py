"""What live rules share: how they reach what a host said, and what they say of one that did not answer."""

from typing import Final

from orchestrator.model.base import Title
from orchestrator.model.topology import Gateway
from orchestrator.rules.facts import Live, LiveGateway
from orchestrator.rules.rule import FieldPath, Found, not_judged

_REACH: Final = Title(zh="使该主机可达后重新执行 audit --live。", en="Make the host answer, then `audit --live` again.")


def seen(live: Live, gateway: Gateway) -> LiveGateway | None:
    """None: its host did not answer, or is never asked."""
    host = live.hosts.get(gateway.host)
    return host.gateways.get(gateway.id) if host else None


def why(live: Live, host: str) -> str:
    """Why nothing is known of it."""
    return live.unreachable.get(host, "drillctl does not reach it")


def unseen(live: Live, where: FieldPath, host: str) -> Found:
    """Not judged, with the reason."""
    said = why(live, host)
    return not_judged(where, f"{host} 没有应答：{said}。", f"{host} did not answer: {said}.", _REACH)


def hidden(where: FieldPath, zh: str, en: str) -> Found:
    """Not judged: several hosts did not answer."""
    return not_judged(where, zh, en, _REACH)
