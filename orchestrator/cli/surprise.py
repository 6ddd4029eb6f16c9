"""`--surprise`: stands beside a rehearsal and makes a second failure on its twin when its time has come.

It hears of the run what everybody hears who watches it, and the run hears nothing of it.
"""

from threading import Timer
from typing import Annotated

import typer

from orchestrator.errors import DefinitionError, DrillctlError
from orchestrator.model.event import Event, EventKind
from orchestrator.model.plan import Plan
from orchestrator.model.topology import Topology
from orchestrator.planner.surprise import Surprise, surprise_named
from orchestrator.ports import Measurement
from orchestrator.twin import Twin

SurpriseOption = Annotated[
    str | None,
    typer.Option(
        "--surprise",
        metavar="KIND=NAME@WHEN",
        help="A second failure that the run does not know of, e.g. carrier=telecom@switching+5: kind centre, carrier, "
        "line or host; WHEN a phase or a step, and seconds after it began.",
    ),
]
UntilOption = Annotated[
    str | None,
    typer.Option(
        "--surprise-until",
        metavar="PHASE",
        help="The phase with which it ends; default: it stays until `drillctl twin lift`, or the twin's end.",
    ),
]


def surprise_of(topology: Topology, plan: Plan, text: str | None, until: str | None) -> Surprise | None:
    """What the command line asks for. DefinitionError where it is nothing of this site and plan."""
    if text is None:
        if until is not None:
            raise DefinitionError(f"--surprise-until {until}: expected --surprise with it, found none")
        return None
    return surprise_named(topology, plan, text, until)


class Beside:
    """A listener of the run that breaks its twin. Nothing of what it does is on the run's own record."""

    def __init__(self, surprise: Surprise, twin: Twin) -> None:
        self._surprise, self._twin = surprise, twin
        self._timer: Timer | None = None
        self._begun = False

    def event(self, event: Event) -> None:
        if not self._begun and self._has_come(event):
            self._begun = True
            self._timer = Timer(self._surprise.after_s, self._break)
            self._timer.daemon = True
            self._timer.start()
        elif self._begun and self._is_over(event):
            self.end()
            self._twin.lift_surprises()

    def _has_come(self, event: Event) -> bool:
        if event.kind is EventKind.STATE:
            return bool(event.data["state"] == self._surprise.at)
        return event.kind in (EventKind.INTENT, EventKind.UNDO_INTENT) and event.step == self._surprise.at

    def _is_over(self, event: Event) -> bool:
        until = self._surprise.until
        return until is not None and event.kind is EventKind.STATE and event.data["state"] == until

    def _break(self) -> None:
        try:
            self._twin.surprise(self._surprise.fault, self._surprise.text)
        except DrillctlError as error:
            typer.echo(f"--surprise {self._surprise.text} could not be made: {error}", err=True)

    def end(self) -> None:
        """What has not come by now does not come any more."""
        if self._timer is not None:
            self._timer.cancel()

    def measuring(self, measurement: Measurement) -> None:
        """It goes by events only."""

    def said(self, text: str) -> None:
        """It tells nobody anything."""
