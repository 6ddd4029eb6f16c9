"""Who approved, who decided, and who was to be called, as a pack tells it."""

from collections.abc import Sequence
from typing import Any

from orchestrator.model.event import Event, EventKind
from orchestrator.model.record import RunRecord

CONFIRMATIONS = "confirmations"  # what people have handed in, in a run's folder
Json = dict[str, Any]


def approvals(record: RunRecord) -> Json:
    """Bound to the plan by its digest. A rehearsal needs none."""
    given = [item.model_dump(mode="json") for item in record.approvals]
    return {
        "plan_digest": record.plan_digest,
        "operator": record.operator,
        "announcement": record.announcement,
        "approvals": given,
    }


def decisions(record: RunRecord) -> Json:
    return {
        "decisions": [item.model_dump(mode="json") for item in record.decisions],
        "aborts": [item.model_dump(mode="json") for item in record.aborts],
        "interruptions": [item.model_dump(mode="json") for item in record.interruptions],
    }


def confirmations(record: RunRecord) -> Json:
    """What people have said of their own steps, with the files that they have handed in."""
    return {"confirmations": [item.model_dump(mode="json") for item in record.confirmations]}


def calls(record: RunRecord, events: Sequence[Event]) -> Json:
    """Whom the run asked for, when and why, which calls people have noted, and everybody who could have been called.
    Of what was said on the phone only their notes are on record.
    """
    asked = [_asked(event) for event in events if event.kind is EventKind.WAITING]
    people = record.topology.people
    return {
        "to_be_called": asked,
        "calls": [item.model_dump(mode="json") for item in record.calls],
        "people": [item.model_dump(mode="json", by_alias=True) for item in people.people],
        "contacts": [item.model_dump(mode="json", by_alias=True) for item in people.contacts],
    }


def _asked(event: Event) -> Json:
    data = event.data
    return {
        "at": event.at,
        "event": event.seq,
        "step": data.get("step"),
        "targets": data.get("targets", {}),
        "call": data.get("call"),
        "choices": data.get("choices", []),
    }
