"""Takes notices to their channels, in a thread of its own: a channel that hangs keeps nothing else waiting."""

import threading
from dataclasses import dataclass, field

from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.notify import Delivered, deliver_outbox
from orchestrator.cli.serving.desk import Desk
from orchestrator.errors import Refused
from orchestrator.model.notify import NotifySettings


@dataclass
class Sender:
    """One pass at a time. It ends with the process: what it had not noted as sent is sent again, with its id."""

    desk: Desk
    _problem: str = ""
    _pass: threading.Thread | None = field(default=None)

    def act(self) -> float | None:
        """Begin a pass if something waits and none is under way. DefinitionError: notify.yml is wrong."""
        settings = self.desk.settings()
        waits = next(self.desk.outbox.waiting(), None) is not None
        if waits and settings.channels and not (self._pass and self._pass.is_alive()):
            self._pass = threading.Thread(target=self._send, args=(settings,), daemon=True)
            self._pass.start()
        return None

    def finish(self) -> None:
        """Wait for the pass that is under way; each attempt of it has a deadline."""
        if self._pass:
            self._pass.join()

    def _send(self, settings: NotifySettings) -> None:
        try:
            self._tell(deliver_outbox(self.desk.outbox, settings, SystemClock().now))
        except Refused:
            return  # another sender is at it
        except Exception as error:  # noqa: BLE001 - a thread's end that nobody hears of
            self._say_once(f"notify: cannot be done: {error!r}")

    def _tell(self, told: Delivered) -> None:
        for notice, channel in told.sent:
            self.desk.say(f"notify: {channel} has taken {notice}")
        for name in told.given_up:
            self.desk.say(f"notify: given up: {name}; `drillctl notify --again --once` tries it again")
        troubles = sorted(
            {f"notify: {channel}: not sent: {problem}" for (_, channel), problem in told.problems.items()}
        )
        if troubles or told.sent:
            self._say_once("\n".join(troubles))

    def _say_once(self, problem: str) -> None:
        if problem and problem != self._problem:
            self.desk.say(problem)
        self._problem = problem
