"""The hash chain over events. Pure."""

import hashlib
from collections.abc import Sequence
from typing import Any

from orchestrator.model.event import Event
from orchestrator.model.plan import canonical_json

GENESIS = "0" * 64


def link(previous: str, body: dict[str, Any]) -> str:
    """Digest of an event: sha256 over the previous digest and the canonical JSON of everything but the digest."""
    return hashlib.sha256(previous.encode() + canonical_json(body)).hexdigest()


def body_of(event: Event) -> dict[str, Any]:
    """What an event's digest covers: everything but the digest."""
    return event.model_dump(mode="json", exclude={"digest"})


def chain_is_valid(events: Sequence[Event]) -> bool:
    """Whether no event was changed, removed from within or put in; says nothing of events cut off at the end."""
    previous = GENESIS
    for seq, event in enumerate(events, 1):
        if event.seq != seq or event.previous != previous or event.digest != link(previous, body_of(event)):
            return False
        previous = event.digest
    return True
