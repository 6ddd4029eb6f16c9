"""The gateways: times, places and certificates, one row each, and the shortest, longest and average of a class."""

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.model.plan import Action
from orchestrator.model.topology import GatewayClass
from orchestrator.model.verdict import ClassTimes, GatewayTimes
from orchestrator.report.context import Context
from orchestrator.report.tones import Tone


@dataclass(frozen=True)
class GatewayRow:
    gateway: str
    number: str
    title: str
    gateway_class: str
    host: str
    action: str
    affected: bool
    broken: str
    connected: str
    login: str
    switch: str
    resolution: str
    gap: str
    result: str
    tone: Tone


@dataclass(frozen=True)
class PlaceRow:
    """Front and line before, during and after."""

    number: str
    title: str
    places: tuple[tuple[str, str], ...]
    moved: bool
    certificate: str


@dataclass(frozen=True)
class ClassRow:
    gateway_class: str
    count: int
    measured: int
    shortest: str
    longest: str
    average: str
    resolution: str


def gateway_rows(context: Context) -> tuple[GatewayRow, ...]:
    """Every gateway that was timed, affected ones first, in the inventory's order."""
    return tuple(_row(context, item) for item in _ordered(context))


def _ordered(context: Context) -> list[GatewayTimes]:
    position = {gateway.id: index for index, gateway in enumerate(context.topology.gateways)}
    return sorted(
        context.record.verdict.gateways,
        key=lambda item: (item.action is Action.NONE, position.get(item.gateway, len(position))),
    )


def unmeasured(context: Context) -> tuple[str, ...]:
    """Numbers of affected gateways of which the verdict holds no measurement at all."""
    return tuple(item.number for item in context.record.plan.affected if item.gateway not in context.times)


def untimed(context: Context) -> tuple[str, ...]:
    """Numbers of gateways that the fault does not touch and that were therefore not timed."""
    return tuple(
        item.number
        for item in context.record.plan.gateways
        if item.action is Action.NONE and item.gateway not in context.times
    )


def _row(context: Context, item: GatewayTimes) -> GatewayRow:
    texts, moments = context.texts, context.moments
    broken, connected, login, switch = _times(context, item)
    result, tone = _result(context, item)
    unbroken = item.broken_at is None
    return GatewayRow(
        gateway=item.gateway,
        number=item.number,
        title=context.gateway_title(item.gateway),
        gateway_class=texts(f"class.{item.gateway_class}"),
        host=item.host,
        action=texts(f"action.{item.action}"),
        affected=item.action is not Action.NONE,
        broken=broken,
        connected=connected,
        login=login,
        switch=switch,
        resolution=texts("value.not_applicable")
        if unbroken
        else moments.resolution(item.resolution_s, texts("value.stamped")),
        gap=_gap(context, item),
        result=result,
        tone=tone,
    )


def _times(context: Context, item: GatewayTimes) -> tuple[str, str, str, str]:
    """Broken, connected, logged in, switch time. A connection that held has nothing to come back to."""
    texts, moments = context.texts, context.moments
    if item.declared_by:
        none, unknown = texts("value.not_measured"), texts("value.no_word")
        said = moments.stamp(item.login_at) if item.login_at is not None else unknown
        return none, none, f"{said}{_by_hand(context, item)}", none
    if item.action.stays_down:
        business = item.action is not Action.NO_BUSINESS
        none = texts("value.not_applicable") if business else stands_down(context, item)
        return moments.stamp(item.broken_at) if item.broken_at is not None else none, none, none, none
    if item.broken_at is None and item.login_at is None and held(item):
        away = texts("value.not_applicable")
        return texts("value.unbroken"), away, away, away
    lost = texts("value.not_restored")
    return (
        moments.stamp(item.broken_at),
        moments.stamp(item.connected_at) if item.connected_at is not None or item.came_back else lost,
        moments.stamp(item.login_at) if item.login_at is not None or item.came_back else lost,
        moments.seconds(item.switch_s) if item.switch_s is not None or item.came_back else lost,
    )


def _by_hand(context: Context, item: GatewayTimes) -> str:
    return f" ({context.texts('value.by_hand')})" if item.login_at is not None else ""


def held(item: GatewayTimes) -> bool:
    """The connection never broke: seen at the same front before and during, and logged in."""
    return item.came_back and item.front_during is not None and item.front_during == item.front_before


def _gap(context: Context, item: GatewayTimes) -> str:
    if item.gateway_class not in (GatewayClass.MARKET_DATA_TCP, GatewayClass.MARKET_DATA_MULTICAST, GatewayClass.MDGW):
        return context.texts("value.not_applicable")
    if item.action.stays_down:
        return stands_down(context, item)
    if item.declared_by:
        return context.texts("value.not_measured")
    return context.moments.seconds(item.gap_s)


def stands_down(context: Context, item: GatewayTimes) -> str:
    """Why nothing is expected of the gateway itself while the fault lasts."""
    if item.action is Action.NO_BUSINESS:
        return context.texts("check_result.no_such_business")
    return context.texts("value.suspended" if item.action is Action.SUSPENDED else "value.carried")


def _result(context: Context, item: GatewayTimes) -> tuple[str, Tone]:
    texts = context.texts
    if item.action.stays_down:
        return _result_down(context, item)
    receives = item.gateway_class is GatewayClass.MARKET_DATA_MULTICAST
    if not item.came_back:
        missing = "gateway_result.not_receiving" if receives else "gateway_result.not_back"
        return texts("value.no_word" if item.declared_by else missing), "bad"
    if item.declared_by or item.action is Action.NONE:
        return texts("value.by_hand" if item.declared_by else "gateway_result.untouched"), "good"
    if item.broken_at is None and held(item):
        return texts("gateway_result.kept_receiving" if receives else "gateway_result.held"), "good"
    return texts("gateway_result.receiving" if receives else "gateway_result.back"), "good"


def _result_down(context: Context, item: GatewayTimes) -> tuple[str, Tone]:
    """Of a gateway that is not to work while the fault lasts."""
    texts = context.texts
    if item.action is Action.NO_BUSINESS:
        return texts("check_result.no_such_business"), "muted"
    if item.action is Action.SUSPENDED:
        stayed = item.front_during is None
        return texts(f"gateway_result.{'stayed' if stayed else 'flew'}"), "good" if stayed else "bad"
    change = context.changes.get(item.gateway)
    standby = change.standby if change and change.standby else texts("value.not_stated")
    return texts("gateway_result.carried", standby=standby), "good" if _carried(context, standby) else "bad"


def _carried(context: Context, standby: str) -> bool:
    """Whether the gateway that stands in works. A hot standby is touched by nothing and is not timed."""
    known = context.times.get(standby)
    return known is None or known.came_back


def place_rows(context: Context) -> tuple[PlaceRow, ...]:
    return tuple(_place(context, item) for item in _ordered(context))


def _place(context: Context, item: GatewayTimes) -> PlaceRow:
    seen = (
        (item.front_before, item.line_before),
        (item.front_during, item.line_during),
        (item.front_after, item.line_after),
    )
    words = [(context.front(front), context.line(line)) for front, line in seen]
    if item.action.stays_down and item.front_during is None:
        words[1] = (stands_down(context, item), "")
    if item.action is Action.TAKE_OVER:
        words = [
            (context.texts("value.does_not_run"), "") if front is None else word
            for word, (front, _) in zip(words, seen, strict=True)
        ]
    return PlaceRow(
        number=item.number,
        title=context.gateway_title(item.gateway),
        places=tuple(words),
        moved=seen[0] != seen[1],
        certificate=context.texts.joined(_certificates(context, item)),
    )


def _certificates(context: Context, item: GatewayTimes) -> Iterator[str]:
    """The certificates that the gateway used, or was planned to use, in this run."""
    known = context.topology.gateway.get(item.gateway)
    if known is not None and known.receives_only:
        yield context.texts("certificate.receives_only")
        return
    change = context.changes.get(item.gateway)
    planned = [place.certificate for place in (change.before, change.after) if place] if change else []
    proved = [proof.certificate for proof in context.record.interlocks if proof.gateway == item.gateway]
    names = dict.fromkeys(name for name in (*planned, *proved) if name)
    yield from (context.certificate(name) for name in names) if names else [context.texts("certificate.none")]


def class_rows(context: Context) -> tuple[ClassRow, ...]:
    return tuple(_class(context, item) for item in context.record.verdict.classes if item.count)


def _class(context: Context, item: ClassTimes) -> ClassRow:
    moments, texts = context.moments, context.texts
    members = [
        one
        for one in context.record.verdict.gateways
        if one.gateway_class is item.gateway_class and not one.action.stays_down
    ]
    if members and all(one.broken_at is None and held(one) for one in members):
        none, whole = texts("value.not_applicable"), texts("value.unbroken")
        return ClassRow(texts(f"class.{item.gateway_class}"), item.count, item.measured, whole, whole, whole, none)
    resolutions = [one.resolution_s for one in members if one.switch_s is not None]
    return ClassRow(
        gateway_class=texts(f"class.{item.gateway_class}"),
        count=item.count,
        measured=item.measured,
        shortest=moments.seconds(item.shortest_s),
        longest=moments.seconds(item.longest_s),
        average=moments.seconds(item.average_s),
        resolution=moments.resolution(max(resolutions), texts("value.stamped"))
        if resolutions
        else texts("value.not_measured"),
    )
