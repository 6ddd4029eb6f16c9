"""Annex of a rehearsal: what the twin's fronts saw. No step and no check reads it; it is here to hold the
measurements against. Only the twin has it, so its form is read with care and what is missing is not measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.model.record import SurpriseRecord
from orchestrator.report.context import Context
from orchestrator.report.tones import Tone

LOGINS_SHOWN: Final = 120  # our choice: about three printed pages; run.json holds them all


@dataclass(frozen=True)
class TruthFigure:
    label: str
    value: str
    tone: Tone


@dataclass(frozen=True)
class LoginRow:
    at: str
    number: str
    front: str
    source: str
    certificate: str
    kind: str
    tone: Tone


@dataclass(frozen=True)
class Truth:
    """`surprises`: failures made behind the run's back, each in one line.

    `logins`: the first of all, `hidden` more are left out; `remarkable`: those that are no plain log-in.
    """

    figures: tuple[TruthFigure, ...]
    logins: tuple[LoginRow, ...]
    remarkable: tuple[LoginRow, ...]
    total: int
    surprises: tuple[str, ...] = ()

    @property
    def hidden(self) -> int:
        """How many are not among `logins`."""
        return self.total - len(self.logins)


_KIND_TONE: Final[dict[str, Tone]] = {
    "login": "good",
    "duplicate": "bad",
    "half_open_retry": "warn",
    "rejected": "warn",
}


def truth(context: Context) -> Truth | None:
    """None where there is no ground truth: on a real site nobody but the exchange has it."""
    data = context.record.ground_truth
    if data is None:
        return None
    logins: Sequence[Mapping[str, Any]] = data.get("logins", ())
    accepted = [item for item in logins if item.get("accepted")]
    figures = (
        _figure(context, "accepted", len(accepted), harmful=False),
        _figure(context, "duplicates", data.get("duplicates"), harmful=True),
        _figure(context, "shared_certificates", data.get("shared_certificates"), harmful=True),
        _figure(context, "half_open_retries", data.get("half_open_retries"), harmful=False),
    )
    rows = tuple(_login(context, item) for item in logins)
    remarkable = tuple(row for row in rows if row.tone != "good")
    surprises = tuple(_surprise(context, item) for item in context.record.surprises)
    return Truth(figures, rows[:LOGINS_SHOWN], remarkable[:LOGINS_SHOWN], len(rows), surprises)


def _surprise(context: Context, item: SurpriseRecord) -> str:
    texts, moments = context.texts, context.moments
    over = texts("truth.surprise_lifted", at=moments.stamp(item.lifted_at)) if item.lifted_at else None
    return texts("truth.surprise", what=item.text, at=moments.stamp(item.at), over=over or texts("truth.surprise_on"))


def _figure(context: Context, name: str, value: int | None, *, harmful: bool) -> TruthFigure:
    label = context.texts(f"truth.{name}")
    if value is None:
        return TruthFigure(label, context.texts("value.not_measured"), "unknown")
    tone: Tone = ("bad" if value else "good") if harmful else "muted"
    return TruthFigure(label, str(value), tone)


def _login(context: Context, item: Mapping[str, Any]) -> LoginRow:
    texts, missing = context.texts, context.texts("value.not_measured")
    kind = str(item.get("kind") or "login")
    certificate = item.get("certificate")
    return LoginRow(
        at=context.moments.stamp(item.get("at")),
        number=str(item.get("number") or missing),
        front=context.front(item.get("front")),
        source=str(item.get("source") or missing),
        certificate=context.certificate(str(certificate)) if certificate else texts("certificate.none"),
        kind=texts.named("login_kind", kind),
        tone=_KIND_TONE.get(kind, "unknown"),
    )
