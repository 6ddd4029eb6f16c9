"""The checks of each phase as a matrix of targets and rungs, and every result that is not normal, in full."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from orchestrator.model.drill import Check
from orchestrator.model.event import CheckRecord, CheckResult
from orchestrator.report.context import Context
from orchestrator.report.tones import CHECK, Tone

# The worst result of several looks at one thing stands in its cell. The verification ladder goes from left to right.
_WORST_FIRST = (CheckResult.ABNORMAL, CheckResult.NOT_TESTED, CheckResult.NORMAL, CheckResult.NO_SUCH_BUSINESS)
_LADDER = tuple(str(check) for check in Check)


@dataclass(frozen=True)
class Cell:
    text: str
    tone: Tone
    could_not_look: bool = False


@dataclass(frozen=True)
class MatrixRow:
    label: str
    title: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Matrix:
    rungs: tuple[str, ...]
    rows: tuple[MatrixRow, ...]


@dataclass(frozen=True)
class SummaryRow:
    """One check, or all: per phase how many results of each kind there are, in the tone of the worst."""

    check: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Summary:
    """The checks of all phases on one page, without their targets. The last row is the sum."""

    phases: tuple[str, ...]
    rows: tuple[SummaryRow, ...]


@dataclass(frozen=True)
class PhaseChecks:
    """One phase: how many results of each kind, and one matrix for gateways, one for everything else."""

    phase: str
    counts: tuple[tuple[str, int, Tone], ...]
    matrices: tuple[Matrix, ...]
    untested: tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """One check that is abnormal or could not look."""

    phase: str
    check: str
    target: str
    host: str
    result: Cell
    expected: str
    found: str


def checked_phases(context: Context) -> tuple[PhaseChecks, ...]:
    phases = dict.fromkeys(record.phase for record in context.record.checks)
    return tuple(_phase(context, phase) for phase in phases)


def _phase(context: Context, phase: str) -> PhaseChecks:
    """Routers have other checks than gateways: in one matrix each would look untested where it has nothing to test."""
    records = [record for record in context.record.checks if record.phase == phase]
    gateways = [record for record in records if record.target in context.topology.gateway]
    others = [record for record in records if record.target not in context.topology.gateway]
    return PhaseChecks(
        phase=context.texts.named("phase", phase),
        counts=_counts(context, records),
        matrices=tuple(_matrix(context, group) for group in (gateways, others) if group),
        untested=tuple(_untested(context, records)),
    )


def _untested(context: Context, records: list[CheckRecord]) -> Iterator[str]:
    """Why a check was not made, once per check and reason. What could not be looked at is a finding, not this."""
    texts = context.texts
    reasons: dict[tuple[str, str], list[str]] = {}
    for record in records:
        if record.result is CheckResult.NOT_TESTED and not record.could_not_look:
            reasons.setdefault((record.check, record.found), []).append(context.number(record.target))
    for (check, reason), targets in reasons.items():
        said = texts.said(reason) or texts("value.not_stated")
        yield texts(
            "checks.untested_line", check=texts.named("check", check), targets=texts.joined(targets), reason=said
        )


def _rungs(records: Sequence[CheckRecord]) -> list[str]:
    """The checks made, as the ladder has them, then those that a site added."""
    names = {record.check for record in records}
    return [*(name for name in _LADDER if name in names), *sorted(names - set(_LADDER))]


def summary(context: Context) -> Summary:
    """What paper shows of the checks."""
    records, texts = context.record.checks, context.texts
    phases = tuple(dict.fromkeys(record.phase for record in records))
    rows = [(texts.named("check", name), [item for item in records if item.check == name]) for name in _rungs(records)]
    if rows:
        rows.append((texts("checks.all"), list(records)))
    return Summary(
        tuple(texts.named("phase", phase) for phase in phases),
        tuple(SummaryRow(label, tuple(_counted(context, chosen, phase) for phase in phases)) for label, chosen in rows),
    )


def _counted(context: Context, records: Iterable[CheckRecord], phase: str) -> Cell:
    chosen = [record for record in records if record.phase == phase]
    if not chosen:
        return Cell(context.texts("checks.not_asked"), "muted")
    counts = [f"{label} {count}" for label, count, _ in _counts(context, chosen) if count]
    worst = min((record.result for record in chosen), key=_WORST_FIRST.index)
    return Cell(context.texts.joined(counts), CHECK[worst], any(record.could_not_look for record in chosen))


def _matrix(context: Context, records: list[CheckRecord]) -> Matrix:
    rungs = _rungs(records)
    cells: dict[tuple[str, str], list[CheckRecord]] = {}
    for record in records:
        cells.setdefault((record.target, record.check), []).append(record)
    return Matrix(
        rungs=tuple(context.texts.named("check", name) for name in rungs),
        rows=tuple(_row(context, target, rungs, cells) for target in _targets(context, records)),
    )


def _row(context: Context, target: str, rungs: list[str], cells: dict[tuple[str, str], list[CheckRecord]]) -> MatrixRow:
    known = target in context.topology.gateway
    return MatrixRow(
        label=context.number(target),
        title=context.gateway_title(target) if known else "",
        cells=tuple(_cell(context, cells.get((target, rung), ())) for rung in rungs),
    )


def _targets(context: Context, records: Iterable[CheckRecord]) -> list[str]:
    """Gateways in the inventory's order, then whatever else was looked at."""
    found = dict.fromkeys(record.target for record in records)
    gateways = [gateway.id for gateway in context.topology.gateways if gateway.id in found]
    return [*gateways, *(name for name in found if name not in context.topology.gateway)]


def _cell(context: Context, records: Iterable[CheckRecord]) -> Cell:
    looks = sorted(records, key=lambda record: _WORST_FIRST.index(record.result))
    if not looks:
        return Cell(context.texts("checks.not_asked"), "muted")
    blind = any(record.could_not_look for record in looks)
    return Cell(context.texts(f"check_result.{looks[0].result}"), CHECK[looks[0].result], blind)


def _counts(context: Context, records: list[CheckRecord]) -> tuple[tuple[str, int, Tone], ...]:
    results = [record.result for record in records]
    blind = sum(record.could_not_look for record in records)
    counts = [(context.texts(f"check_result.{result}"), results.count(result), CHECK[result]) for result in CheckResult]
    return (*counts, (context.texts("check_result.could_not_look"), blind, "warn"))


def findings(context: Context) -> tuple[Finding, ...]:
    """Every abnormal result, then every one that could not look, with what was expected and what was found."""
    wrong = [item for item in context.record.checks if item.result is CheckResult.ABNORMAL]
    blind = [item for item in context.record.checks if item.could_not_look and item not in wrong]
    return tuple(_finding(context, item) for item in (*wrong, *blind))


def _finding(context: Context, item: CheckRecord) -> Finding:
    return Finding(
        phase=context.texts.named("phase", item.phase),
        check=context.texts.named("check", item.check),
        target=context.number(item.target),
        host=item.host,
        result=_cell(context, [item]),
        expected=context.texts.said(item.expected) or context.texts("value.not_stated"),
        found=context.texts.said(item.found) or context.texts("value.not_measured"),
    )
