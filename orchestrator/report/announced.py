"""The announced phases of a test that an exchange leads, with the times that were announced and those measured."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from orchestrator.model.announcement import AnnouncedPhase, PhaseKind
from orchestrator.model.plan import Phase
from orchestrator.report.context import Context

# In which phase of the run a phase of the announcement is looked at; own scenes are no part of this run.
_LOOKED_AT: Final = {PhaseKind.CONNECTIVITY: Phase.BASELINING, PhaseKind.RESTORE_CHECK: Phase.PROVING_RESTORATION}


@dataclass(frozen=True)
class AnnouncedRow:
    title: str
    kind: str
    announced: str
    measured: str
    is_observed: bool


@dataclass(frozen=True)
class AnnouncedTest:
    issuer: str
    title: str
    contact: str
    feedback_due: str
    report_index: str
    digest: str
    rows: tuple[AnnouncedRow, ...]


def announced_test(context: Context) -> AnnouncedTest | None:
    """None: the run observes no announced test."""
    found = context.record.plan.announced
    if found is None:
        return None
    told = found.announcement
    return AnnouncedTest(
        issuer=told.issuer,
        title=context.texts.of(told.title),
        contact=told.contact,
        feedback_due=f"{told.feedback_due:%Y-%m-%d %H:%M}",
        report_index=context.texts(f"announced.report_index_{told.report_index}"),
        digest=found.digest,
        rows=tuple(_rows(context)),
    )


def _rows(context: Context) -> Iterator[AnnouncedRow]:
    found = context.record.plan.announced
    for phase in found.announcement.phases if found else ():
        is_observed = found is not None and phase.id == found.phase
        begins, ends = _measured(context, phase) if is_observed or phase.kind is not PhaseKind.CUT else (None, None)
        yield AnnouncedRow(
            title=context.texts.of(phase.title),
            kind=context.texts(f"announced.kind_{phase.kind.value.replace('-', '_')}"),
            announced=f"{phase.begins:%Y-%m-%d %H:%M} – {phase.ends:%H:%M}",
            measured=_span(context, begins, ends),
            is_observed=is_observed,
        )


def _measured(context: Context, phase: AnnouncedPhase) -> tuple[float | None, float | None]:
    """When the fault was on, or when this run looked."""
    record = context.record
    if phase.kind is PhaseKind.CUT:
        return record.fault_at, record.lifted_at
    looked = next((item for item in record.phases if item.phase is _LOOKED_AT.get(phase.kind)), None)
    return (looked.started_at, looked.finished_at) if looked else (None, None)


def _span(context: Context, begins: float | None, ends: float | None) -> str:
    if begins is None:
        return context.texts("announced.not_in_this_run")
    later = "…" if ends is None else f"{context.moments.local(ends):%H:%M:%S}"
    return f"{context.moments.local(begins):%Y-%m-%d %H:%M:%S} – {later}"
