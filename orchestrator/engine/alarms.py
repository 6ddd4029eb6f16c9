"""Tells that D+1 or D+2 has passed while milestones are open: once each, on record, for whoever is told of the run."""

from orchestrator.engine.log import Assignment, Log
from orchestrator.model.event import EventKind
from orchestrator.ports import Clock
from orchestrator.rules.disaster_clock import alarms

_LOOK_EVERY_S = 30.0  # our choice: an alarm that counts in days may be so late


class Alarms:
    """Looks at the clock at every beat of a run, and seldom at what is due."""

    def __init__(self, job: Assignment, clock: Clock, log: Log) -> None:
        self._job, self._clock, self._log = job, clock, log
        self._looked_at = float("-inf")

    def look(self) -> None:
        """Put new alarms on record. A run without milestones has none."""
        now = self._clock.now()
        if not self._job.plan.milestones or now - self._looked_at < _LOOK_EVERY_S:
            return
        self._looked_at = now
        for alarm in alarms(self._job.plan, self._job.topology, self._log.events(), now):
            if alarm.day not in self._log.progress.alarmed:
                self._log.append(EventKind.ALARM, alarm.as_data())
