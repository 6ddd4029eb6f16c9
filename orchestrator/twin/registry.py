"""The one login registry of the simulated exchange, over all its centres. A pure state machine: time is passed in.

It decides who may log in, and keeps the ground truth by which the product is judged: every attempt, every end of a
session, every duplicate. A session lives until its logout, the end of its connection, or its timeout of silence; so
a half-open session (its peer is gone, nobody told the front) still holds its gateway number.

What a duplicate is (SSCC-2.5, SSE-2.2c): an attempt while another process's session holds the number or the
certificate, accepted or refused. A real front cannot tell a second process from one that starts again after its line
went silent; the twin can: each gateway process draws an instance when it starts, and `alive(instance)` says whether
it still runs. So an attempt is a half-open retry, counted apart, when the session in its way is its own (the same
instance), or was left behind on the same host and number by a process that is dead. From any other host it is a
duplicate even if the old process is dead: whoever moved the number did not wait for its release.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Policy(StrEnum):
    """What the registry does with an attempt while the number or certificate is held.

    refuse-new: it is refused. kick-old: the holder is thrown out. partitioned: the centres do not know of each
    other's sessions, each refuses the new one at home only.
    """

    REFUSE_NEW = "refuse-new"
    KICK_OLD = "kick-old"
    PARTITIONED = "partitioned"


class Kind(StrEnum):
    """What an attempt was, whatever came of it."""

    LOGIN = "login"
    DUPLICATE = "duplicate"
    HALF_OPEN_RETRY = "half_open_retry"
    REJECTED = "rejected"


class End(StrEnum):
    """How a session ended. `closed` is also a holder that was thrown out, or a front that reset its sessions."""

    LOGOUT = "logout"
    TIMEOUT = "timeout"
    CLOSED = "closed"


@dataclass(frozen=True)
class Attempt:
    """One logon as it reached a front. `at` is seconds since the epoch, `timeout_s` the silence that ends a session.

    `gateway` and `line` are for the record only; they decide nothing.
    """

    at: float
    number: str
    certificate: str | None
    front: str
    centre: str
    source: str
    source_port: int
    instance: str
    timeout_s: float
    gateway: str | None = None
    line: str | None = None


@dataclass(frozen=True)
class Answer:
    """`session` is set exactly when the logon was accepted. `kicked` names the sessions that it ended."""

    kind: Kind
    reason: str = ""
    session: int | None = None
    kicked: tuple[int, ...] = ()


@dataclass
class _Session:
    attempt: Attempt
    heard_at: float

    @property
    def expires_at(self) -> float:
        return self.heard_at + self.attempt.timeout_s


class Registry:
    """All sessions of all centres, and the record of everything that happened to them."""

    def __init__(self, policy: Policy, alive: Callable[[str], bool]) -> None:
        self._policy = policy
        self._alive = alive
        self._sessions: dict[int, _Session] = {}
        self._next = 1
        self._events: list[tuple[str, dict[str, Any]]] = []
        self._shared_certificates = 0

    def login(self, attempt: Attempt) -> Answer:
        """Accept or refuse a logon."""
        self.sweep(attempt.at)
        holders = dict(self._holders(attempt))
        kind = self._kind(attempt, list(holders.values()))
        self._shared_certificates += any(item.number != attempt.number for item in holders.values())
        in_the_way = {key: item for key, item in holders.items() if self._blocks(attempt, item)}
        if in_the_way and self._policy is not Policy.KICK_OLD:
            return self._answer(attempt, Answer(kind, _why(attempt, next(iter(in_the_way.values())))))
        for session in in_the_way:
            self.end(session, attempt.at, End.CLOSED)
        session = self._next
        self._next += 1
        self._sessions[session] = _Session(attempt, attempt.at)
        return self._answer(attempt, Answer(kind, "", session, tuple(in_the_way)))

    def reject(self, attempt: Attempt, reason: str) -> Answer:
        """Record a logon that is wrong in itself: an unknown number, the wrong protocol."""
        return self._answer(attempt, Answer(Kind.REJECTED, reason))

    def heard(self, session: int, at: float) -> None:
        """The session's peer said something; unknown or ended sessions are nobody's business."""
        if session in self._sessions:
            self._sessions[session].heard_at = at

    def end(self, session: int, at: float, how: End) -> None:
        """End a session once; later reports of the same end change nothing."""
        ended = self._sessions.pop(session, None)
        if ended is not None:
            attempt = ended.attempt
            self._record("logout", {"at": at, "number": attempt.number, "front": attempt.front, "how": how.value})

    def sweep(self, at: float) -> None:
        """End the sessions that were silent for too long, each at the moment it ran out."""
        silent = [(item.expires_at, key) for key, item in self._sessions.items() if item.expires_at <= at]
        for expired_at, session in sorted(silent):
            self.end(session, expired_at, End.TIMEOUT)

    def holds(self, session: int) -> bool:
        """Whether the session is still there."""
        return session in self._sessions

    def using(self, certificates: Collection[str]) -> list[int]:
        """The sessions that stand with one of these certificates."""
        return [key for key, item in self._sessions.items() if item.attempt.certificate in certificates]

    def current(self) -> list[Attempt]:
        """The logons whose sessions are there now, oldest first."""
        return [item.attempt for item in self._sessions.values()]

    def events(self, since: int) -> list[tuple[str, dict[str, Any]]]:
        """What was recorded after the first `since` records: ("login" or "logout", its data)."""
        return self._events[since:]

    def truth(self) -> dict[str, Any]:
        """Everything that happened, as plain data of its own."""
        logins = [dict(data) for what, data in self._events if what == "login"]
        kinds = [login["kind"] for login in logins]
        return {
            "logins": logins,
            "logouts": [dict(data) for what, data in self._events if what == "logout"],
            "current": {
                item.number: {
                    "front": item.front,
                    "centre": item.centre,
                    "certificate": item.certificate,
                    "line": item.line,
                    "since": item.at,
                }
                for item in self.current()
            },
            "duplicates": kinds.count(Kind.DUPLICATE),
            "shared_certificates": self._shared_certificates,
            "half_open_retries": kinds.count(Kind.HALF_OPEN_RETRY),
        }

    def _holders(self, attempt: Attempt) -> Iterator[tuple[int, Attempt]]:
        for key, item in self._sessions.items():
            held = item.attempt
            same_certificate = attempt.certificate is not None and held.certificate == attempt.certificate
            if held.number == attempt.number or same_certificate:
                yield key, held

    def _kind(self, attempt: Attempt, holders: list[Attempt]) -> Kind:
        if not holders:
            return Kind.LOGIN
        own = all(self._is_left_behind(attempt, item) for item in holders)
        return Kind.HALF_OPEN_RETRY if own else Kind.DUPLICATE

    def _is_left_behind(self, attempt: Attempt, held: Attempt) -> bool:
        if held.instance == attempt.instance:
            return True
        same_place = (held.source, held.number) == (attempt.source, attempt.number)
        return same_place and not self._alive(held.instance)

    def _blocks(self, attempt: Attempt, held: Attempt) -> bool:
        return self._policy is not Policy.PARTITIONED or held.centre == attempt.centre

    def _answer(self, attempt: Attempt, answer: Answer) -> Answer:
        record = asdict(attempt)
        del record["timeout_s"]
        accepted = answer.session is not None
        self._record("login", record | {"accepted": accepted, "kind": answer.kind.value, "reason": answer.reason})
        return answer

    def _record(self, what: str, data: dict[str, Any]) -> None:
        self._events.append((what, data))


def _why(attempt: Attempt, held: Attempt) -> str:
    if held.number == attempt.number:
        return f"number {held.number} is logged in at {held.front}"
    return f"certificate is in use by number {held.number} at {held.front}"
