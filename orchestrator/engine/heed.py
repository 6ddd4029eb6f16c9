"""What can end a run from outside: signals, messages, the lever, stop conditions. Asked several times a second."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

from orchestrator.model.event import Event
from orchestrator.ports import Clock, Journal, Listener, Message
from orchestrator.rules.outage import TradingHours

_LOOK_EVERY_S = 0.2  # our choice: an abort begins well within two seconds
_RENEW_EVERY_S = 5.0  # our choice: a third of the lease
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _nothing() -> str | None:
    return None


@dataclass(frozen=True)
class Stops:
    """What besides messages and signals ends a run: the site-wide lever, as the reason it was engaged for, and the
    time at which a drill has to begin its way back, in seconds since the epoch. `window`: why nothing may be injected
    or switched now; it never keeps anything from being restored. `hours`: the session hours in which outage is
    counted.
    """

    lever: Callable[[], str | None] = _nothing
    window: Callable[[], str | None] = _nothing
    latest_return_at: float | None = None
    hours: TradingHours | None = None


class Heed:
    """Keeps the run's lease alive and knows whether an abort was asked for, and why."""

    def __init__(
        self, journal: Journal, run: str, epoch: int, clock: Clock, stops: Stops, listeners: Sequence[Listener]
    ) -> None:
        self._journal, self._run, self._epoch, self._clock = journal, run, epoch, clock
        self._stops, self._listeners = stops, listeners
        self._signals: list[int] = []
        self._answered = 0
        self._looked_at = self._renewed_at = float("-inf")
        self.condition: Callable[[], str | None] = _nothing  # a stop condition of the drill that is met
        self.may_promote: Callable[[], bool] = lambda: False  # whether a drill can still become an incident
        self.promoted: Callable[[], bool] = lambda: False  # from then on no window and no latest return
        self.alive: Callable[[], object] = lambda: None  # told at every beat
        self.taken: Callable[[Event], None] = lambda _: None  # told of every message that was taken
        self.reason: str | None = None
        self.kind = "aborted"

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Signals ask for an abort as long as this lasts. `nohup` lets a run outlive its terminal."""
        heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        previous = {number: signal.signal(number, self._hear) for number in heard}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(number)

    def beat(self) -> bool:
        """Say that the run is alive; whether an abort was asked for. Superseded and JournalFailed go up: then nothing
        more may be done.
        """
        self.alive()
        self._hear_signals()
        now = self._clock.monotonic()
        if now - self._looked_at >= _LOOK_EVERY_S:
            self._looked_at = now
            if now - self._renewed_at >= _RENEW_EVERY_S:
                self._journal.renew(self._run, self._epoch)
                self._renewed_at = now
            self._look()
        return self.reason is not None

    def _hear_signals(self) -> None:
        for number in self._signals[self._answered :]:
            self._answered += 1
            name = signal.Signals(number).name
            if self.reason is None:
                self._ask(f"{name} asked for an abort")
            else:
                self._say(
                    f"{name}: an abort is under way ({self.reason}) and goes on. To leave everything as it stands "
                    f"now: kill -KILL {os.getpid()}; `drillctl resume {self._run}` goes on from there"
                )

    def _look(self) -> None:
        for message in self._journal.waiting(self._run):
            if message.topic == "abort":
                self._take(message)
                self._ask(f"abort asked for by {message.data.get('by')}: {message.data.get('reason')}")
            elif message.topic in ("call", "confirm") or self._is_promotion(message):
                self._take(message)
        lever = self._stops.lever()
        if lever is not None:
            self._ask(f"the lever is engaged: {lever}", "stop_condition")
        self._look_at_the_clock()
        condition = None if self.reason else self.condition()
        if condition:
            self._ask(condition, "stop_condition")

    def _is_promotion(self, message: Message) -> bool:
        """One that comes too late stays where it is: the run goes back."""
        return message.topic == "promote" and self.reason is None and self.may_promote()

    def _look_at_the_clock(self) -> None:
        limit = self._stops.latest_return_at
        if limit is not None and not self.promoted() and self._clock.now() >= limit:
            self._ask("the latest time to begin the way back has come", "stop_condition")

    def may_change(self) -> bool:
        """Whether something may be injected or switched now; where not, the run goes back."""
        closed = None if self.promoted() else self._stops.window()
        if closed is not None:
            self._ask(closed, "stop_condition")
        return self.reason is None

    def take_decisions(self) -> None:
        """Take what people have decided; their events tell the run."""
        for message in self._journal.waiting(self._run):
            if message.topic == "decide":
                self._take(message)

    def take_calls(self) -> None:
        """Calls that people have noted go on record, as does what was confirmed too late; they change nothing of what
        the run does.
        """
        for message in self._journal.waiting(self._run):
            if message.topic in ("call", "confirm"):
                self._take(message)
            elif message.topic == "promote":
                self._say(f"the promotion by {message.data['by']} came too late: the run had gone back, and is closed")

    def _take(self, message: Message) -> None:
        self.taken(self._journal.take(self._run, self._epoch, message))

    def _ask(self, reason: str, kind: str = "aborted") -> None:
        """The first reason counts."""
        if self.reason is None:
            self.reason, self.kind = reason, kind

    def _say(self, text: str) -> None:
        for listener in self._listeners:
            with suppress(Exception):  # a terminal that is gone must not end the run
                listener.said(text)
