"""What came of something on one host, however it was carried there. Never guesses.

Every host that was asked for gets exactly one result. No word from a host is `indeterminate`, never success; a
connection that broke is `failed` only where it was never made.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.model.event import Outcome

# What ssh says when it never came to run anything. Anything else may have happened in the middle.
_NEVER_CONNECTED = re.compile(
    r"ssh: connect to host|Could not resolve hostname|Permission denied|Host key verification failed"
    r"|kex_exchange_identification|during banner exchange|REMOTE HOST IDENTIFICATION HAS CHANGED"
)
_MAY_HAVE_RUN = re.compile(r"not responding|client_loop|closed by remote host|Broken pipe|read from master failed")


@dataclass(frozen=True)
class HostResult:
    """What came of a playbook on one host. `data["results"]` holds the on-host results, one per request."""

    host: str
    outcome: Outcome
    message: str
    data: dict[str, Any] = field(default_factory=dict)


def unreachable(message: str) -> Outcome:
    """Failed only where no connection was ever made; else the request may have been carried out."""
    never = _NEVER_CONNECTED.search(message) and not _MAY_HAVE_RUN.search(message)
    return Outcome.FAILED if never else Outcome.INDETERMINATE


_OUTCOME = {
    "succeeded": Outcome.SUCCEEDED,
    "would_change": Outcome.WOULD_CHANGE,
    "skipped": Outcome.SKIPPED,
    "failed": Outcome.FAILED,
    "refused": Outcome.FAILED,
}
_FROM_WORST = (Outcome.INDETERMINATE, Outcome.FAILED, Outcome.WOULD_CHANGE, Outcome.SUCCEEDED, Outcome.SKIPPED)


def outcome_of(result: Mapping[str, Any]) -> Outcome:
    """Outcome of one on-host result. A word that is not known is unknown, never success."""
    return _OUTCOME.get(str(result.get("outcome")), Outcome.INDETERMINATE)


def worst(results: Iterable[Mapping[str, Any]]) -> Outcome:
    found = {outcome_of(item) for item in results}
    return next((item for item in _FROM_WORST if item in found), Outcome.INDETERMINATE)


def silent(host: str, how: str, status: str, last_words: str) -> HostResult:
    """Of a host that was never heard of. `how`: how its guard says that the call ended; `status`: its own last word."""
    outcome, reason = _reason(how, status) or (Outcome.INDETERMINATE, f"it ended ({status}){last_words}")
    return HostResult(host, outcome, f"no result from {host}: {reason}")


def _reason(how: str, status: str) -> tuple[Outcome, str] | None:
    """What ended the play from outside. The guard's word goes first: what it ended said whatever it came to say."""
    if how == "stopped":
        return Outcome.INDETERMINATE, "ended because an abort was asked for"
    if how == "lost":
        return Outcome.INDETERMINATE, "its guard was killed, and nobody can say how it ended"
    if "deadline" in (how, status):
        return Outcome.TIMED_OUT, "the deadline passed"
    return None
