"""Tells people of a run without asking: a run leaves notices in the outbox, a sender takes them to the channels.

The run's side never waits for anybody and never fails a run. The sender's side delivers each notice at least once to
each channel that wants it; the notice's id tells a receiver that it has had it.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from orchestrator.adapters.channels import attempt
from orchestrator.adapters.outbox import Outbox
from orchestrator.adapters.secrets import Mask
from orchestrator.model.base import Title
from orchestrator.model.event import Event
from orchestrator.model.notify import Channel, Delivery, Notice, NotifySettings, Parcel
from orchestrator.model.record import RunRecord
from orchestrator.ports import Measurement
from orchestrator.report.notices import About, notice_of, verdict_notice

_FIRST_WAIT_S: Final = 30.0  # our choice: then twice as long each time
_LONGEST_WAIT_S: Final = 3600.0  # our choice


class Notices:
    """A listener that puts what is worth telling into the outbox. `outbox` None: nobody is to be told."""

    def __init__(self, about: About, outbox: Outbox | None, mask: Mask, said: Callable[[str], None]) -> None:
        self._about, self._outbox, self._mask, self._said = about, outbox, mask, said
        self._events: list[Event] = []

    def catch_up(self, past: Sequence[Event]) -> None:
        """What happened before this orchestrator; what was told then is not told again."""
        for event in past:
            self.event(event)

    def event(self, event: Event) -> None:
        if self._outbox is None:
            return
        self._tell(lambda: notice_of(self._about, event, self._events))
        self._events.append(event)

    def concluded(self, record: RunRecord) -> None:
        """The run is closed and judged."""
        self._tell(lambda: verdict_notice(self._about, record.verdict, record.finished_at))

    def measuring(self, measurement: Measurement) -> None:
        """Notices tell events only."""

    def said(self, text: str) -> None:
        """What is said to a terminal stays there."""

    def _tell(self, make: Callable[[], Notice | None]) -> None:
        if self._outbox is None:
            return
        try:
            notice = make()
            if notice:
                masked = {"title": self._masked(notice.title), "text": self._masked(notice.text)}
                self._outbox.put(notice.model_copy(update=masked))
        except Exception as error:  # noqa: BLE001 - whatever it is, a run does not fail for it, and it is said once
            self._outbox = None
            with suppress(Exception):
                self._said(f"nobody is notified any more: {type(error).__name__}: {error}")

    def _masked(self, title: Title) -> Title:
        return Title(zh=self._mask.text(title.zh), en=self._mask.text(title.en))


@dataclass
class Delivered:
    """What came of one pass of the sender. `problems`: (notice, channel) → why not."""

    sent: list[tuple[str, str]] = field(default_factory=list)
    problems: dict[tuple[str, str], str] = field(default_factory=dict)
    given_up: list[str] = field(default_factory=list)
    waiting: int = 0


def deliver_outbox(outbox: Outbox, settings: NotifySettings, now: Callable[[], float]) -> Delivered:
    """One pass: everything that is due goes to every channel that wants it. Refused SENDING: another one is at it.

    A channel that has failed is left alone for the rest of the pass: notices stay in order, and one that hangs costs
    its deadline once.
    """
    told, failed = Delivered(), set[str]()
    with outbox.alone():
        for parcel in outbox.waiting():
            wanted = [channel for channel in settings.channels if channel.wants(parcel.notice)]
            for channel in wanted:
                if channel.id not in failed:
                    parcel = _delivered(outbox, parcel, channel, settings, now, told)  # noqa: PLW2901 - as it is then
                    if (parcel.notice.id, channel.id) in told.problems:
                        failed.add(channel.id)
            _settle(outbox, parcel, wanted, settings, told)
        outbox.tidy(now())
    return told


def _delivered(
    outbox: Outbox,
    parcel: Parcel,
    channel: Channel,
    settings: NotifySettings,
    now: Callable[[], float],
    told: Delivered,
) -> Parcel:
    """After an attempt, if one is due, with its state on the disk."""
    old = parcel.deliveries.get(channel.id, Delivery())
    if old.done_at is not None or old.attempts >= settings.attempts or now() < old.next_at:
        return parcel
    found = attempt(channel, parcel.notice, now(), settings.deadline_s)
    key = (parcel.notice.id, channel.id)
    if found.problem:
        told.problems[key] = found.problem
        new = _put_off(old, found.problem, now())
    else:
        told.sent.append(key)
        new = Delivery(attempts=old.attempts + 1, done_at=now())
    changed = parcel.model_copy(update={"deliveries": {**parcel.deliveries, channel.id: new}})
    outbox.keep(changed)
    return changed


def _put_off(old: Delivery, problem: str, now: float) -> Delivery:
    wait = min(_FIRST_WAIT_S * 2**old.attempts, _LONGEST_WAIT_S)
    return Delivery(attempts=old.attempts + 1, next_at=now + wait, problem=problem)


def _settle(
    outbox: Outbox, parcel: Parcel, wanted: Sequence[Channel], settings: NotifySettings, told: Delivered
) -> None:
    """Out of the outbox once nothing is left to try."""
    states = [parcel.deliveries.get(channel.id, Delivery()) for channel in wanted]
    if any(item.done_at is None and item.attempts < settings.attempts for item in states):
        told.waiting += 1
        return
    delivered = all(item.done_at is not None for item in states)
    outbox.end(parcel, delivered=delivered)
    if not delivered:
        told.given_up.append(parcel.notice.id)


def missing(parcel: Parcel, channels: Sequence[Channel]) -> Mapping[str, Delivery]:
    """Channels that want it and have not had it, with how far each is."""
    states = {item.id: parcel.deliveries.get(item.id, Delivery()) for item in channels if item.wants(parcel.notice)}
    return {name: item for name, item in states.items() if item.done_at is None}
