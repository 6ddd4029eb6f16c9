"""Runs that nobody attends to: their orchestrator is gone, or they have waited for a person for too long."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from orchestrator.adapters.clock import SystemClock
from orchestrator.cli.needs import Standing, detail, on_site, standing_of
from orchestrator.cli.serving.desk import Desk
from orchestrator.cli.serving.policy import policy_of
from orchestrator.history import epoch_s
from orchestrator.journal import CLOSED, SqliteJournal
from orchestrator.model.event import Event
from orchestrator.report.site_notices import From, unattended_notice

_MINUTE = 60.0


@dataclass(frozen=True)
class Unattended:
    """Each is told once: of a loss for each orchestrator of a run, of a wait for each thing that is waited for."""

    desk: Desk

    def act(self) -> float | None:
        if not (self.desk.state / "journal.db").exists():
            return None
        waiting_s = policy_of(self.desk.site_folder).waiting_minutes * _MINUTE
        with closing(self.desk.places.journal(self.desk.name)) as journal:
            moments = [*self._looked_at(journal, waiting_s)]
        return min(moments, default=None)

    def _looked_at(self, journal: SqliteJournal, waiting_s: float) -> Iterator[float]:
        for row in journal.runs():
            if row["status"] != CLOSED:
                standing = standing_of(journal, row["run"])
                if standing.word == "interrupted":
                    yield self._lost(standing)
                elif standing.word in ("waiting", "paused"):
                    yield self._waits(standing, journal.events(row["run"])[-1], waiting_s)

    def _lost(self, standing: Standing) -> float:
        """When its lease is over: until then somebody may just be taking it up again."""
        state, now = standing.state, SystemClock().now()
        if now >= state.lease_until:
            self._tell(standing, f"{state.run}-lost-{state.epoch}", "orphaned", now - state.last_sign_at, "")
            return now + _MINUTE
        return state.lease_until

    def _waits(self, standing: Standing, last: Event, waiting_s: float) -> float:
        now = SystemClock().now()
        at = epoch_s(last) + waiting_s
        if now >= at:
            steps = ", ".join(question.step for question in standing.questions)
            self._tell(standing, f"{standing.run}-waits-{last.seq}", "waits", now - epoch_s(last), steps)
            return now + _MINUTE
        return at

    def _tell(self, standing: Standing, name: str, key: str, since_s: float, steps: str) -> None:
        command = f"drillctl resume {standing.run}{on_site(self.desk.site)}"
        plan = standing.state.plan
        source = From(plan.site, self.desk.zone, SystemClock().now())
        extra = f" ({steps})" if steps else ""
        notice = partial(
            unattended_notice, source, name, standing.run, plan, key, minutes=int(since_s // 60), extra=extra
        )
        self.desk.once(name, f"run {standing.run}: {standing.word}, {detail(standing)}{extra}; {command}", notice)
