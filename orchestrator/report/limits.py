"""What the evidence of this run cannot show. Said in every report, so that nobody reads more into it."""

from collections.abc import Iterator

from orchestrator.report.context import Context
from orchestrator.report.gateways import unmeasured


def limits(context: Context) -> tuple[str, ...]:
    return tuple(_limits(context))


def _limits(context: Context) -> Iterator[str]:
    record, texts = context.record, context.texts
    if record.simulated:
        yield texts("limit.simulated")
    yield texts("limit.local_login")
    yield texts("limit.login_is_not_business")
    yield from _measuring(context)
    yield from _clocks(context)
    yield texts(f"limit.fault_{record.plan.kind}")
    yield from _unverified_profiles(context)
    blind = sum(item.could_not_look for item in record.checks)
    if blind:
        yield texts("limit.could_not_look", n=blind)
    if record.ground_truth is not None:
        yield texts("limit.ground_truth")


def _measuring(context: Context) -> Iterator[str]:
    texts, times = context.texts, context.record.verdict.gateways
    sampled = sorted(item.number for item in times if item.resolution_s and item.broken_at is not None)
    coarsest = max((item.resolution_s for item in times), default=0.0)
    if sampled:
        yield texts("limit.sampled", numbers=texts.joined(sampled), resolution=f"{coarsest:.3f}")
    elif any(item.broken_at is not None for item in times):
        yield texts("limit.stamped")
    elif coarsest:
        yield texts("limit.unbroken", resolution=f"{coarsest:.3f}")
    missing = unmeasured(context)
    if missing:
        yield texts("limit.unmeasured", numbers=texts.joined(missing))


def _clocks(context: Context) -> Iterator[str]:
    offsets = context.record.clock_offset_s
    if offsets:
        host = max(sorted(offsets), key=lambda name: abs(offsets[name]))
        yield context.texts("limit.clocks", host=host, offset=f"{offsets[host]:+.4f}")
    else:
        yield context.texts("limit.no_clocks")


def _unverified_profiles(context: Context) -> Iterator[str]:
    topology = context.topology
    used = dict.fromkeys(
        topology.gateway[item.gateway].profile
        for item in context.record.plan.affected
        if item.gateway in topology.gateway
    )
    titles = [context.texts.of(topology.profiles[name].title) for name in used if not topology.profiles[name].verified]
    if titles:
        yield context.texts("limit.profiles", profiles=context.texts.joined(titles))
