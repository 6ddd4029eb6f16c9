"""The D+N clocks of runs that are not over: they go on also where no orchestrator is at work to look at them."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from orchestrator.adapters.clock import SystemClock
from orchestrator.cli.needs import on_site
from orchestrator.cli.serving.desk import Desk
from orchestrator.errors import DrillctlError
from orchestrator.journal import CLOSED, RunState, SqliteJournal
from orchestrator.report.notices import About, alarm_notice
from orchestrator.rules.disaster_clock import Alarm, alarms
from orchestrator.wiring.places import copy_of


@dataclass(frozen=True)
class Clocks:
    """An alarm has the same name whoever tells it: the run's own orchestrator and the server lay it out once."""

    desk: Desk

    def act(self) -> float | None:
        if not (self.desk.state / "journal.db").exists():
            return None
        with closing(self.desk.places.journal(self.desk.name)) as journal:
            for state in _with_milestones(journal):
                self._look(state, journal)
        return None

    def _look(self, state: RunState, journal: SqliteJournal) -> None:
        try:
            topology = copy_of(state).topology
        except DrillctlError as error:
            self.desk.once(f"{state.run}-no-clock", f"run {state.run}: its D+N clock cannot be read: {error}")
            return
        about = About(state.run, state.plan, topology.site.timezone)
        for found in alarms(state.plan, topology, journal.events(state.run), SystemClock().now()):
            self._tell(about, found)

    def _tell(self, about: About, found: Alarm) -> None:
        data = found.as_data()
        notice = partial(alarm_notice, about, data["day"], data["milestones"], data["owners"], data["passed_at"])
        text = f"D+{found.day} has passed with {', '.join(data['milestones'])} open"
        status = f"drillctl status {about.run}{on_site(self.desk.site)}"
        self.desk.once(f"{about.run}-alarm-d{found.day}", f"run {about.run}: {text}; {status}", notice)


def _with_milestones(journal: SqliteJournal) -> Iterator[RunState]:
    for row in journal.runs():
        if row["status"] != CLOSED and (state := journal.state(row["run"])).plan.milestones:
            yield state
