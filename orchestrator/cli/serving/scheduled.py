"""The schedule as a server keeps it: what was missed, what is overdue, what comes, and what begins by itself."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from orchestrator.cli.evidence.keeping import writing
from orchestrator.cli.schedule.missed import missed_of, put_on_record
from orchestrator.cli.schedule.reading import Book, book, state_of
from orchestrator.cli.serving.desk import Desk
from orchestrator.cli.serving.policy import policy_of
from orchestrator.cli.serving.rehearsals import Rehearsals
from orchestrator.model.drill import Mode
from orchestrator.model.local_time import moment
from orchestrator.model.people import PersonRole
from orchestrator.report.site_notices import (
    From,
    missed_notice,
    name_of,
    overdue_name,
    overdue_notice,
    reminder_name,
    reminder_notice,
)
from orchestrator.rules.reminders import Reminder, next_moment, reminder
from orchestrator.rules.schedule import Entry, Standing, age, standing, why_not_fire

_AHEAD = timedelta(days=366)  # our choice: who looks for the next thing to do looks no further


@dataclass
class Scheduled:
    """Nothing that was missed is begun late, and a drill on the real site never by itself."""

    desk: Desk
    _head_is_whole: bool = False

    def act(self) -> float | None:
        """When something is to be done next; None: there is no schedule."""
        if not policy_of(self.desk.site_folder).is_scheduled:
            return None
        known = book(self.desk.site)
        source = _source(known)
        self._publish_head(known)
        self._missed(known, source)
        self._overdue(known, source)
        entries = known.planned(known.schedule.starts, known.now.date() + _AHEAD)
        for entry in entries:
            if standing(entry, known.held, known.now)[0] is Standing.UPCOMING:
                self._upcoming(known, source, entry)
        Rehearsals(self.desk).look_after(source, entries)
        then = next_moment(entries, known.now)
        return moment(then, known.zone) if then else None

    def _publish_head(self, known: Book) -> None:
        """With the first round: a server that was killed between a line and its head has left the head behind, and
        the verifiers miss it. One that is published already stays as it is.
        """
        if not self._head_is_whole and known.lines:
            writing(known.places, self.desk.site).publish()
        self._head_is_whole = True

    def _missed(self, known: Book, source: From) -> None:
        """On the ledger first: what people are told of stands there."""
        missed = missed_of(known)
        for entry in put_on_record(known, self.desk.site, missed):
            self.desk.say(f"schedule: entry {entry.id} of {_time(entry.begins)} was missed; it is on the ledger")
        for item in missed:
            if item.is_open(known):
                self.desk.once(
                    f"{name_of(item.entry)}-missed",
                    f"schedule: entry {item.entry.id} was missed: hold it by hand in a window, by {item.entry.last}",
                    partial(missed_notice, source, item.entry),
                )

    def _overdue(self, known: Book, source: From) -> None:
        for subject in known.subjects:
            found = age(known.schedule, subject, known.held, known.now.date())
            if found.overdue:
                self.desk.once(
                    overdue_name(found),
                    f"schedule: {subject.name} is overdue since {found.due}",
                    partial(overdue_notice, source, found),
                )

    def _upcoming(self, known: Book, source: From, entry: Entry) -> None:
        which = reminder(entry, known.now)
        if which:
            day = "tomorrow" if which is Reminder.EVE else "today"
            self.desk.once(
                reminder_name(entry, which),
                f"schedule: {day}, {_time(entry.begins)}: entry {entry.id}, {state_of(entry)}",
                partial(reminder_notice, source, entry, which),
            )
        if known.now >= entry.begins:
            self._due(known, source, entry)

    def _due(self, known: Book, source: From, entry: Entry) -> None:
        hindered = why_not_fire(entry, known.zone, source.at)
        if hindered:
            Rehearsals(self.desk).refuse(source, entry, hindered.code, hindered.reason)
        elif entry.subject.rule.mode is Mode.REHEARSAL:
            Rehearsals(self.desk).begin(source, entry)
        else:
            self.desk.once(
                f"{name_of(entry)}-due-{entry.begins.date()}",
                f"schedule: entry {entry.id} is due now; a drill never begins by itself: an operator signs its start",
            )


def _source(known: Book) -> From:
    people = known.site.topology.people.with_role(PersonRole.OPERATOR)
    return From(known.name, known.zone, moment(known.now, known.zone), tuple(person.id for person in people))


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
