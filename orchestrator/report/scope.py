"""Scope and scenario: what failed, in words, how the firm answered, and what the plan meant for whom."""

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.model.plan import Action
from orchestrator.model.topology import CentreRole
from orchestrator.report.context import Context


@dataclass(frozen=True)
class Intent:
    """Gateways for which the plan means the same, for the same reason."""

    action: str
    reason: str
    gateways: tuple[tuple[str, str], ...]  # (number, title)


@dataclass(frozen=True)
class Scope:
    fault: tuple[str, ...]
    manner: str
    dead_lines: tuple[str, ...]
    out_of_service: tuple[str, ...]
    parameters: tuple[tuple[str, str], ...]
    intents: tuple[Intent, ...]
    paths: tuple[tuple[str, str, str, str, str], ...]  # router, centre, line before, line after, reason
    notes: tuple[str, ...]
    source: str
    lasted: str


def scope(context: Context) -> Scope:
    plan, texts = context.record.plan, context.texts
    return Scope(
        fault=tuple(fault_words(context)),
        manner=texts(f"manner.{plan.fault.manner}"),
        dead_lines=tuple(context.line(name) for name in plan.fault.lines),
        out_of_service=tuple(context.line(name) for name in plan.out_of_service),
        parameters=tuple(sorted(plan.parameters.items())),
        intents=tuple(_intents(context)),
        paths=tuple(
            (
                item.router,
                context.centre(item.centre),
                context.line(item.line_before),
                context.line(item.line_after),
                texts.of(item.reason),
            )
            for item in plan.paths
        ),
        notes=tuple(texts.of(note) for note in plan.notes),
        source=texts(f"fault_source.{context.record.fault_source if context.record.fault_at else 'none'}"),
        lasted=_lasted(context),
    )


def _lasted(context: Context) -> str:
    record, texts, moments = context.record, context.texts, context.moments
    if record.fault_at is None:
        return texts("scope.no_fault")
    until = texts("scope.not_lifted") if record.lifted_at is None else moments.stamp(record.lifted_at)
    return f"{moments.stamp(record.fault_at)} → {until}"


def fault_words(context: Context) -> Iterator[str]:
    """The fault as people say it. A lost centre names what is left of its operator's production centres."""
    fault, texts = context.record.plan.fault, context.texts
    if fault.suspended_by:
        yield texts("fault.suspended", operator=texts.named("operator", fault.suspended_by))
        return
    if fault.centres:
        names = [context.centre(name) for name in fault.centres]
        left = _left(context)
        if len(left) == 1:
            yield texts("fault.single_centre", lost=texts.joined(names), left=left[0])
        elif left:
            yield texts("fault.centre", lost=texts.joined(names), left=texts.joined(left))
        else:
            yield texts("fault.all_centres", lost=texts.joined(names))
    for name in fault.carriers:
        lines = sum(
            context.topology.line[line].carrier == name for line in fault.lines if line in context.topology.line
        )
        yield texts("fault.carrier", carrier=context.carrier(name), n=lines)
    if fault.fronts:
        yield texts("fault.fronts", fronts=texts.joined([_service(context, name) for name in fault.fronts]))
    for name in fault.certificates:
        yield texts("fault.certificate", certificate=name, cause=texts(f"cause.{fault.cause}"))
    if not (fault.centres or fault.carriers):
        for name in fault.lines:
            yield texts("fault.line", line=context.line(name))
    for name in fault.hosts:
        yield texts("fault.host", host=name)


def _service(context: Context, name: str) -> str:
    """A front by its centre and what it serves, as people call it."""
    front = context.topology.front[name]
    centre = context.centre(front.centre)
    service = context.texts(f"service.{'satellite' if front.satellite else front.service}")
    return f"{centre}{service}" if context.texts.language == "zh" else f"{centre}: {service}"


def _left(context: Context) -> list[str]:
    """Production centres that are left to the operators of the lost ones."""
    topology, lost = context.topology, context.record.plan.fault.centres
    operators = {topology.centre[name].operator for name in lost if name in topology.centre}
    return [
        context.texts.of(centre.title)
        for centre in topology.centres
        if centre.operator in operators and centre.role is CentreRole.PRODUCTION and centre.id not in lost
    ]


def _intents(context: Context) -> Iterator[Intent]:
    """Affected gateways first; the untouched ones are one line each reason, so that the scope is whole."""
    grouped: dict[tuple[Action, str], list[tuple[str, str]]] = {}
    for change in sorted(context.record.plan.gateways, key=lambda item: item.action is Action.NONE):
        key = (change.action, context.texts.of(change.reason))
        grouped.setdefault(key, []).append((change.number, context.gateway_title(change.gateway)))
    for (action, reason), gateways in grouped.items():
        yield Intent(context.texts(f"action.{action}"), reason, tuple(gateways))
