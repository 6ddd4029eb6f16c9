"""The conclusion: the four fields of the verdict as four tiles, the figures that matter, one paragraph."""

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.model.drill import Mode
from orchestrator.model.verdict import GatewayTimes, ObjectiveState, Restoration, RunOutcome
from orchestrator.report.context import Context
from orchestrator.report.gateways import held
from orchestrator.report.interruptions import in_one_line
from orchestrator.report.promotion import promoted_in_one_line
from orchestrator.report.scope import fault_words
from orchestrator.report.tones import INTEGRITY, OBJECTIVE, RESTORATION, RUN_OUTCOME, Tone


@dataclass(frozen=True)
class Tile:
    """One field of the verdict. The four are never merged into one light."""

    field: str
    value: str
    meaning: str
    tone: Tone


@dataclass(frozen=True)
class Figure:
    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Headline:
    document: str
    tiles: tuple[Tile, ...]
    figures: tuple[Figure, ...]
    paragraph: str
    reasons: tuple[str, ...]


def headline(context: Context) -> Headline:
    texts, record = context.texts, context.record
    return Headline(
        document=texts(f"document.{record.plan.kind}"),
        tiles=(_outcome(context), _restoration(context), _objectives(context), _integrity(context)),
        figures=tuple(_figures(context)),
        paragraph=_paragraph(context),
        reasons=tuple(texts.said(texts.of(reason)) for reason in record.verdict.reasons),
    )


def _outcome(context: Context) -> Tile:
    value = context.record.verdict.outcome
    meaning = context.texts(f"outcome_meaning.{value}")
    return Tile("outcome", context.texts(f"outcome.{value}"), meaning, RUN_OUTCOME[value])


def _restoration(context: Context) -> Tile:
    value = context.record.verdict.restoration
    judged = value in (Restoration.PROVED, Restoration.NOT_PROVED)
    whose = "failback_" if judged and context.record.plan.fails_back else ""
    meaning = context.texts(f"restoration_meaning.{whose}{value}")
    return Tile("restoration", context.texts(f"restoration.{value}"), meaning, RESTORATION[value])


def _objectives(context: Context) -> Tile:
    """The worst state decides the word: missed before not measured before met."""
    texts = context.texts
    states = [item.state for item in context.record.verdict.objectives]
    if not states:
        return Tile("objectives", texts("objective.none"), texts("objective_meaning.none"), "muted")
    count = {state: states.count(state) for state in ObjectiveState}
    worst = next(
        state for state in (ObjectiveState.MISSED, ObjectiveState.NOT_MEASURED, ObjectiveState.MET) if count[state]
    )
    meaning = texts(
        "objective_meaning.counts",
        met=count[ObjectiveState.MET],
        missed=count[ObjectiveState.MISSED],
        not_measured=count[ObjectiveState.NOT_MEASURED],
    )
    return Tile("objectives", texts(f"objectives.{worst}"), meaning, OBJECTIVE[worst])


def _integrity(context: Context) -> Tile:
    value = context.record.verdict.integrity
    meaning = context.texts(f"integrity_meaning.{value}")
    return Tile("integrity", context.texts(f"integrity.{value}"), meaning, INTEGRITY[value])


def expected_back(context: Context) -> list[GatewayTimes]:
    """Affected gateways that have somewhere to go back to."""
    wanted = {item.gateway for item in context.record.plan.affected if not item.action.stays_down}
    return [item for item in context.record.verdict.gateways if item.gateway in wanted]


def unbroken(context: Context) -> list[GatewayTimes]:
    """Gateways expected back whose connection never broke."""
    return [item for item in expected_back(context) if item.broken_at is None and held(item)]


def longest_switch(context: Context) -> GatewayTimes | None:
    """The slowest gateway that had somewhere to go: one without such business waits for the fault to end."""
    measured = [item for item in expected_back(context) if item.switch_s is not None]
    return max(measured, key=lambda item: item.switch_s or 0, default=None)


def _longest(context: Context) -> str:
    longest, back = longest_switch(context), expected_back(context)
    if longest is None and back and len(unbroken(context)) == len(back):
        return context.texts("value.none_broken")
    return context.moments.seconds(longest.switch_s if longest else None)


def _figures(context: Context) -> list[Figure]:
    texts, moments, record = context.texts, context.moments, context.record
    longest = longest_switch(context)
    back = expected_back(context)
    slowest = (
        texts(
            "figure.longest_note",
            number=longest.number,
            resolution=moments.resolution(longest.resolution_s, texts("value.stamped")),
        )
        if longest
        else ""
    )
    return [
        Figure(
            texts("figure.affected"), str(len(record.plan.affected)), texts("figure.of", n=len(record.plan.gateways))
        ),
        Figure(texts("figure.back"), _share(context, back)),
        Figure(texts("figure.lists"), str(record.verdict.lists_changed)),
        Figure(texts("figure.longest"), _longest(context), slowest),
        *_since_command(context),
        Figure(texts("figure.start"), moments.full(record.started_at), moments.zone),
        Figure(texts("figure.finish"), moments.full(record.finished_at), moments.zone),
    ]


def _since_command(context: Context) -> Iterator[Figure]:
    """What counts at three in the morning: from the word of command until the last gateway has its log-in again."""
    record, back = context.record, expected_back(context)
    if record.plan.mode is not Mode.INCIDENT and record.plan.fails_back is None:
        return
    logins = [item.login_at for item in back if item.login_at is not None]
    lost = [item for item in back if not item.came_back]
    since = max(logins) - record.started_at if logins and not lost else None
    yield Figure(context.texts("figure.since_command"), context.moments.seconds(since))


def _share(context: Context, back: list[GatewayTimes]) -> str:
    if not back:
        return context.texts("value.not_measured")
    return f"{sum(item.came_back for item in back)} / {len(back)}"


def _paragraph(context: Context) -> str:
    texts, record, moments = context.texts, context.record, context.moments
    values = {
        "site": texts.of(context.topology.site.title),
        "drill": texts.of(record.plan.title),
        "mode": texts(f"mode.{record.plan.kind}"),
        "incident": record.plan.fails_back.run if record.plan.fails_back else "",
        "response": texts(f"response.{context.response}"),
        "fault": texts.joined(fault_words(context)),
        "start": moments.full(record.started_at),
        "zone": moments.zone,
    }
    opening = texts(f"paragraph.{'drill' if record.plan.kind == Mode.REHEARSAL else record.plan.kind}", **values)
    if record.verdict.outcome is RunOutcome.NOT_STARTED:
        return opening + texts("paragraph.not_started") + in_one_line(context)
    effect = texts(
        "paragraph.effect",
        affected=len(record.plan.affected),
        expected=len(expected_back(context)),
        back=sum(item.came_back for item in expected_back(context)),
        lists=record.verdict.lists_changed,
        longest=_longest(context),
    )
    whole = len(unbroken(context))
    effect += texts("paragraph.held", n=whole) if whole else ""
    missing = [item.number for item in expected_back(context) if not item.came_back]
    lost = texts("paragraph.not_back", numbers=texts.joined(missing)) if missing else ""
    return opening + promoted_in_one_line(context) + effect + lost + in_one_line(context)
