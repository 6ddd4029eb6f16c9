"""Path-diversity proof (SSCC-3.1) as a table: what comes to the same stands in one row, so that a page holds a site."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.model.paths import Diversity, GatewayPaths, PathState, Shared, Way, WayState
from orchestrator.report.context import Context
from orchestrator.report.tones import Tone
from orchestrator.rules.select import SSCC_CLASSES

ROWS_SHOWN: Final = 40  # our choice: three printed pages; run.json holds every gateway
NAMED: Final = 4  # our choice: numbers told of a row of several
_WHEN: Final = ("before", "during", "after")


@dataclass(frozen=True)
class WayText:
    """`centre` and `text` of one way; `trace` is every hop as it was measured."""

    centre: str
    text: str
    trace: str
    tone: Tone


@dataclass(frozen=True)
class Stage:
    """One gateway at one time: its ways, what they come to, and what they come to with its hot standby."""

    ways: tuple[WayText, ...]
    own: tuple[str, Tone]
    pair: tuple[str, Tone] | None


@dataclass(frozen=True)
class PathRow:
    numbers: str
    hidden: int
    stages: tuple[Stage | None, ...]


@dataclass(frozen=True)
class Paths:
    """`notes`: what SSCC-3.1 has to say of the state before; `measured`: the times at which anything was."""

    rows: tuple[PathRow, ...]
    hidden: int
    notes: tuple[str, ...]


def paths(context: Context) -> Paths:
    """Everything of the section; without rows: not measured."""
    found = _grouped(context)
    rows = tuple(_row(context, names, stages) for names, stages in found[:ROWS_SHOWN])
    return Paths(rows, max(0, len(found) - ROWS_SHOWN), tuple(_notes(context)))


def _grouped(context: Context) -> list[tuple[list[str], list[GatewayPaths | None]]]:
    """Gateways whose ways and verdicts are the same at every time, each group by its first one."""
    proofs = {proof.when: {item.gateway: item for item in proof.gateways} for proof in context.record.path_proofs}
    groups: dict[object, tuple[list[str], list[GatewayPaths | None]]] = {}
    for name in dict.fromkeys(name for found in proofs.values() for name in found):
        stages = [proofs.get(when, {}).get(name) for when in _WHEN]
        key = tuple(_shape(item) for item in stages)
        groups.setdefault(key, ([], stages))[0].append(name)
    return list(groups.values())


def _shape(item: GatewayPaths | None) -> object:
    """Alike is what leaves its hosts the same way, whatever the hosts are called."""
    if item is None:
        return None
    ways = tuple((way.centre, way.state, way.components, way.line) for way in item.ways)
    return (
        ways,
        item.own.state,
        item.own.paths,
        item.own.shared,
        item.with_pair
        and (
            item.with_pair.state,
            item.with_pair.paths,
        ),
    )


def _row(context: Context, names: Sequence[str], stages: Sequence[GatewayPaths | None]) -> PathRow:
    numbers = context.texts.joined(context.number(name) for name in names[:NAMED])
    found = [_stage(context, item, when) if item else None for when, item in zip(_WHEN, stages, strict=True)]
    return PathRow(numbers, max(0, len(names) - NAMED), tuple(found))


def _stage(context: Context, item: GatewayPaths, when: str) -> Stage:
    pair = None if item.with_pair is None else _said(context, item.with_pair, when, "path.with_pair")
    return Stage(tuple(_way(context, way) for way in item.ways), _said(context, item.own, when, "path.own"), pair)


def _way(context: Context, way: Way) -> WayText:
    texts = context.texts
    trace = " → ".join(f"{hop.at} ({hop.device or '?'}) {hop.via or ''}".strip() for hop in way.hops)
    if way.line is None:
        return WayText(context.centre(way.centre), texts(f"path.{way.state}"), trace or way.why, _TONE[way.state])
    carrier = context.carrier(way.carrier or "")
    over = texts("path.over", router=" → ".join(way.routers), line=context.line(way.line), carrier=carrier)
    gone = f"{over}{texts.joint}{texts('path.dead')}" if way.state is WayState.DEAD else over
    return WayText(context.centre(way.centre), gone, trace, _TONE[way.state])


_TONE: Final[dict[WayState, Tone]] = {
    WayState.USABLE: "good",
    WayState.DEAD: "muted",
    WayState.NO_ROUTE: "muted",
    WayState.UNKNOWN: "unknown",
}


def _said(context: Context, found: Diversity, when: str, who: str) -> tuple[str, Tone]:
    """While the fault lasts fewer are left, as it should be: their number is told and no judgement."""
    texts = context.texts
    tone: Tone
    if found.state is PathState.NOT_JUDGED:
        text, tone = texts("path.not_judged"), "unknown"
    elif when == "during":
        text, tone = texts("path.left", n=found.paths), "muted"
    elif found.state is PathState.DIVERSE:
        text, tone = texts("path.diverse", n=found.paths), "good"
    elif found.state is PathState.NONE:
        text, tone = texts("path.none"), "warn"
    else:
        same = texts.joined(_shared(context, item) for item in found.shared if item.kind in ("router", "carrier"))
        text, tone = texts("path.one", shared=same) if same else texts("path.only"), "warn"
    return texts(who, said=text), tone


def _shared(context: Context, item: Shared) -> str:
    name = context.carrier(item.name) if item.kind == "carrier" else item.name
    return context.texts(f"path.same_{item.kind}", name=name)


def _notes(context: Context) -> Iterator[str]:
    """Before the run: business that has one path only, its hot standby counted in, by the clause that asks for two."""
    texts = context.texts
    found = next((proof.gateways for proof in context.record.path_proofs if proof.when == "before"), ())
    known = context.topology.gateway
    before = [item for item in found if known[item.gateway].gateway_class in SSCC_CLASSES]
    alone = [item for item in before if (item.with_pair or item.own).state in (PathState.ONE, PathState.NONE)]
    if alone:
        yield texts("path.note_one", numbers=texts.joined(context.number(item.gateway) for item in alone))
    carriers = dict.fromkeys(shared.name for item in before for shared in item.own.shared if shared.kind == "carrier")
    for name in carriers:
        yield texts("path.note_carrier", carrier=context.carrier(name))
