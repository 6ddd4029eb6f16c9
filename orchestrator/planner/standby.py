"""Who goes on with the business of a gateway whose host fails: its cold standby, else its hot one. Pure.

A cold standby shares the number (SSCC-2.5), so it starts only behind a proved fence; a hot standby has a number of
its own and is logged in already, so nothing is switched there.
"""

from datetime import date

from orchestrator.errors import Refused
from orchestrator.model.base import Title
from orchestrator.model.drill import Response
from orchestrator.model.plan import Action, GatewayChange, Placement
from orchestrator.model.topology import Certificate, Gateway, Topology
from orchestrator.planner.entry import entry_of
from orchestrator.planner.network import Network
from orchestrator.planner.question import Question


def carried_on(
    question: Question, gateway: Gateway, start: Placement, during: Network
) -> tuple[GatewayChange, ...] | None:
    """The entries of a gateway whose host fails, with that of the cold standby that takes over; None: nobody can."""
    if question.response is Response.REPOINT:
        cold = taken_over(question, gateway, start, during)
        if cold:
            return cold
    hot = _hot_standby(question, gateway, during)
    if hot is None:
        return None
    return (stood_in(gateway, start, hot),)


def stood_in(gateway: Gateway, start: Placement, hot: Gateway) -> GatewayChange:
    """The entry of a gateway that is out while its hot standby goes on."""
    change = entry_of(gateway, start, None, Action.HOT_STANDBY, gateway.servers, _hot(gateway, hot))
    return change.model_copy(update={"standby": hot.id})


def pair_goes_on(question: Question, gateway: Gateway, start: Placement, during: Network) -> GatewayChange | None:
    """The entry of a gateway that has no way left, while its pair, logged in under a number of its own, has one; None:
    it has no such pair.
    """
    pair = _hot_standby(question, gateway, during)
    if pair is None:
        return None
    change = entry_of(gateway, start, None, Action.PAIR, gateway.servers, _by_pair(gateway, pair))
    return change.model_copy(update={"standby": pair.id})


def routers_of(topology: Topology, host: str) -> tuple[str, ...]:
    """CE routers by which a host can reach any front: its own, and every other one in its room's network."""
    own = topology.host[host]
    return tuple(router.id for router in topology.routers if router.id == own.router or router.room == own.room)


def can_fence(topology: Topology, router: str) -> bool:
    """Whether a network fence can be put on this router: only Linux ones are driven."""
    return topology.router[router].driver == "linux"


def taken_over(question: Question, gateway: Gateway, start: Placement, during: Network) -> tuple[GatewayChange, ...]:
    """The first cold standby that is not on a failed host and reaches a front of its list."""
    topology = question.topology
    for standby in topology.cold_standbys(gateway.id):
        live = [name for name in standby.servers if during.line_of(standby, topology.front[name])]
        if not runs(question, standby) or not live:
            continue
        _number_can_be_freed(topology, gateway)
        able = standby.model_copy(update={"certificate": certificate_left(question, standby)})
        front = topology.front[live[0]]
        place = Placement(
            front=front.id,
            centre=front.centre,
            line=during.line_of(standby, front),
            certificate=_certificate(topology, able, question.today),
        )
        servers = standby.servers if standby.servers[0] == front.id else tuple(live)
        reason = _cold(gateway, standby)
        taken = entry_of(gateway, start, None, Action.TAKEN_OVER, gateway.servers, reason)
        takes = entry_of(standby, None, place, Action.TAKE_OVER, servers, reason)
        return (
            taken.model_copy(update={"standby": standby.id}),
            takes.model_copy(update={"stands_in_for": gateway.id}),
        )
    return ()


def runs(question: Question, gateway: Gateway) -> bool:
    """Whether it works where it stands: neither its host nor the gateway itself fails, and it has a certificate."""
    gone = gateway.host in question.fault.hosts or gateway.id in question.gateways
    return not gone and (gateway.certificate is None or bool(certificate_left(question, gateway)))


def certificate_left(question: Question, gateway: Gateway) -> str | None:
    """The certificate that it uses, or where that fails another of its own that is valid, tested and there (SSE-5.3).

    An EKey is on one host (SSE-2.2b), and one that was never tested is not relied on (SSE-4.5).
    """
    if gateway.certificate is None or gateway.certificate not in question.certificates:
        return gateway.certificate
    by_id = {item.id: item for item in question.topology.certificates}
    others = [by_id[name] for name in gateway.certificates if name not in question.certificates]
    usable = (
        item.id
        for item in others
        if _is_valid(item, question.today) and item.tested_on and item.host in (None, gateway.host)
    )
    return next(usable, None)


def _hot_standby(question: Question, gateway: Gateway, during: Network) -> Gateway | None:
    topology = question.topology
    pair = topology.gateway.get(gateway.pair or "")
    if pair is None or not pair.enabled or pair.number == gateway.number or not runs(question, pair):
        return None
    return pair if any(during.line_of(pair, topology.front[name]) for name in pair.servers) else None


def _number_can_be_freed(topology: Topology, gateway: Gateway) -> None:
    """A fence swallows the farewell: without a known release time nobody can say when the number is free."""
    if topology.longest_release_s(gateway) is None and not gateway.receives_only:
        raise Refused(
            "RELEASE_TIME_UNKNOWN",
            f"gateway {gateway.id} ({gateway.number}): expected session_timeout_s of the site or of its fronts, "
            "found none, so that nobody can say when the number may log in again; ask the exchange",
        )


def _certificate(topology: Topology, standby: Gateway, today: date) -> str | None:
    """The certificate that the standby's own configuration names, if it is valid (SSE-4.5, SSE-5.3).

    That it is on the standby's host, and that no other active gateway uses it (SSE-2.2c: it belongs to the number, and
    the number to one active gateway), is the inventory's own consistency.
    """
    by_id = {item.id: item for item in topology.certificates}
    if standby.certificate is None or _is_valid(by_id[standby.certificate], today):
        return standby.certificate
    used = by_id[standby.certificate]
    others = [name for name in standby.certificates if _is_valid(by_id[name], today)]
    hint = f"name {others[0]} in the standby's configuration and as its certificate" if others else "renew it first"
    raise Refused(
        "CERTIFICATE_NOT_VALID",
        f"cold standby {standby.id}: certificate {used.id} is valid {used.valid_from} to {used.valid_to}, "
        f"not on {today}; {hint}",
    )


def _is_valid(certificate: Certificate, today: date) -> bool:
    return certificate.valid_from <= today <= certificate.valid_to


def why_none(question: Question, gateway: Gateway) -> str:
    """The sentence that says why nobody can go on for this gateway."""
    cold, hot = question.topology.cold_standbys(gateway.id), question.topology.gateway.get(gateway.pair or "")
    name = f"gateway {gateway.id} ({gateway.number}) on {gateway.host}"
    if cold and question.response is not Response.REPOINT:
        return f"{name}: its cold standby {cold[0].id} is started under --response repoint only"
    if cold or hot:
        said = ", ".join(f"{item.id} on {item.host}" for item in (*cold, *((hot,) if hot else ())))
        return f"{name}: its standbys ({said}) fail too, are not enabled, or reach no front"
    return f"{name} has no cold standby (standby_for) and no hot one (pair)"


def _cold(gateway: Gateway, standby: Gateway) -> Title:
    return Title(
        zh=f"主机 {gateway.host} 故障，先停用阻断 {gateway.id}，再由冷备 {standby.id} 以同一网关号登录",
        en=f"host {gateway.host} fails; {gateway.id} is fenced, then cold standby {standby.id} logs in with its number",
    )


def _by_pair(gateway: Gateway, pair: Gateway) -> Title:
    return Title(
        zh=f"{gateway.id} 无可用路径，由成对网关 {pair.id}（网关号 {pair.number}）继续开展业务，此处不切换",
        en=f"{gateway.id} has no way left; its pair {pair.id} ({pair.number}) goes on: nothing is switched here",
    )


def _hot(gateway: Gateway, pair: Gateway) -> Title:
    return Title(
        zh=f"主机 {gateway.host} 故障，热备 {pair.id}（网关号 {pair.number}）已登录，由报盘系统改用，此处不切换",
        en=f"host {gateway.host} fails; hot standby {pair.id} ({pair.number}) is logged in: the order system uses it",
    )
