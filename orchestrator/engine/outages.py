"""Counts outage in trading hours while a run lasts, and says on record when it nears the limit and when it passes it.

Nothing of a rehearsal is reportable: there it counts nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from orchestrator.engine.log import Assignment, Log
from orchestrator.model.drill import Mode
from orchestrator.model.event import Event, EventKind, Sample
from orchestrator.model.outage import Outage
from orchestrator.model.topology import GatewayClass
from orchestrator.ports import Clock, Observations
from orchestrator.rules.outage import RANK, Level, OutageWatch, TradingHours, level, outages_of

_LOOK_EVERY_S = 1.0  # our choice: minutes are counted


class OutageLog:
    """The engine's own count. `hours` None: nobody knows the session hours, and nothing is counted."""

    def __init__(self, job: Assignment, clock: Clock, log: Log, hours: TradingHours | None) -> None:
        counts = job.plan.mode is not Mode.REHEARSAL
        self._job, self._clock, self._log, self._hours = job, clock, log, hours if counts else None
        self._watch = OutageWatch(job.plan, job.topology, self._fault_holds)
        self._told = dict(_told(log.events())) if self._hours else {}
        self._looked_at = float("-inf")
        self._caught_up = False

    def look(self, latest: Callable[[], Mapping[str, Sample]], past: Callable[[], Observations | None]) -> None:
        """To be called at every beat. `past`: what was seen before this orchestrator; None: nothing measures yet."""
        now = self._clock.monotonic()
        if self._hours is None or now - self._looked_at < _LOOK_EVERY_S:
            return
        self._looked_at = now
        if not self._caught_up:
            seen = past()
            if seen is None:
                return
            self._caught_up = True
            self._take(seen.samples)
        self._take(latest().values())
        self._tell(self._watch.outages(self._hours, self._clock.now()))

    def conclude(self, seen: Observations) -> None:
        """What it came to, by every sample that was taken: this is what the report says."""
        if self._hours is None:
            return
        job, events = self._job, self._log.events()
        found = outages_of(job.plan, job.topology, events, seen, self._hours, self._clock.now())
        rows = [item.model_dump(mode="json") for item in found]
        self._log.append(EventKind.OUTAGE, {"level": "counted", "rows": rows})

    def _take(self, samples: Iterable[Sample]) -> None:
        offset_s = self._log.progress.before.clock_offset_s
        for sample in samples:
            self._watch.see(sample, sample.at - offset_s.get(sample.host, 0.0))

    def _fault_holds(self, _at: float) -> bool:
        return self._job.plan.mode is Mode.INCIDENT or self._log.progress.fault_on

    def _tell(self, rows: Sequence[Outage]) -> None:
        """Once per class and level, the class as a whole: trading partly down counts as down."""
        for row in rows:
            found = level(row, self._job.topology.site)
            if row.number is None and found is not Level.NONE and RANK[found] > RANK[self._level(row)]:
                self._told[row.gateway_class] = found
                self._log.append(EventKind.OUTAGE, self._data(found, row))

    def _data(self, found: Level, row: Outage) -> dict[str, object]:
        limit_s = self._job.topology.site.reportable_outage_s
        return {"level": found.value, "limit_s": limit_s, "rows": [row.model_dump(mode="json")]}

    def _level(self, row: Outage) -> Level:
        return self._told.get(row.gateway_class, Level.NONE)


def _told(events: Sequence[Event]) -> dict[GatewayClass, Level]:
    """What an earlier orchestrator has said."""
    found: dict[GatewayClass, Level] = {}
    for event in events:
        if event.kind is EventKind.OUTAGE and event.data["level"] != "counted":
            found[GatewayClass(event.data["rows"][0]["gateway_class"])] = Level(event.data["level"])
    return found
