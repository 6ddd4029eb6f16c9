"""Hours in which somebody answers, in words."""

from orchestrator.model.hours import Days, Period
from orchestrator.model.people import Contact
from orchestrator.report.texts import Texts


def hours_in_words(texts: Texts, contact: Contact) -> str:
    """Its periods, what else is said of them, or that nobody has said."""
    parts = [_period(texts, item) for item in contact.answers or ()]
    if contact.hours:
        parts.append(texts.of(contact.hours))
    return texts.joint.join(parts) or texts("hours.unknown")


def _period(texts: Texts, period: Period) -> str:
    days = period.days
    named = texts(f"hours.{days}") if isinstance(days, Days) else texts.joined(texts(f"hours.{day}") for day in days)
    return texts("hours.period", days=named, begins=period.begins, ends=period.ends)
