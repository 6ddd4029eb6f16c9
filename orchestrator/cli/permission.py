"""Plans on file and what people sign about them: shared by `plan --save`, `approve`, `run` and `switchover`."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.adapters.plan_file import PlanFile
from orchestrator.cli.homeward import plan_home, refuse_another_place, refuse_second
from orchestrator.cli.options import asked_for, planned
from orchestrator.errors import DefinitionError, Refused
from orchestrator.evidence import ssh_signatures
from orchestrator.loader.calendar import load_calendar
from orchestrator.loader.drill import load_drill
from orchestrator.loader.site import LoadedSite
from orchestrator.model.announcement import Announced
from orchestrator.model.approval import (
    Kept,
    Permit,
    PlanRequest,
    Signed,
    Statement,
    StatementKind,
    WindowReference,
    namespace,
    whole_seconds,
)
from orchestrator.model.calendar import SiteCalendar, Window
from orchestrator.model.disaster import Disaster
from orchestrator.model.drill import Mode, Response
from orchestrator.model.people import Person
from orchestrator.model.plan import Plan
from orchestrator.planner import Request, make_plan
from orchestrator.rules import approvals
from orchestrator.rules.flapping import refuse_flapping, switches
from orchestrator.rules.windows import Closed, Open, passage
from orchestrator.twin import Twin
from orchestrator.wiring.places import Permission, Place, Places, clock

By = Annotated[
    str | None,
    typer.Option("--by", metavar="PERSON", envvar="DRILLCTL_PERSON", help="Who you are: a person's id in people.yml."),
]
Key = Annotated[
    Path | None,
    typer.Option(
        "--key", metavar="FILE", envvar="DRILLCTL_KEY", help="Your SSH key, or its public half if an agent holds it."
    ),
]
_START_COUNTS = approvals.LONGEST[StatementKind.START]
_AGAIN_SAID = "频繁切换仍切换 switched again although flapping"
_AGAIN = timedelta(minutes=5)  # our choice: a start that waits for locks is signed again in good time


@dataclass(frozen=True)
class Desk:
    """Where a plan is approved and begun: its site, the plans on file, and the people who may."""

    places: Places
    site: LoadedSite
    file: PlanFile

    @classmethod
    def of(cls, places: Places, site: LoadedSite) -> "Desk":
        return cls(places, site, places.plans(site))

    def person(self, name: str | None) -> Person:
        """DefinitionError: nobody is named, or nobody of that name is known."""
        people = self.site.topology.people.people
        found = next((person for person in people if person.id == name), None)
        if found is None:
            known = ", ".join(person.id for person in people) or "nobody"
            raise DefinitionError(f"--by: expected a person of people.yml ({known}), found {name or 'nothing'}")
        return found

    def kept(self, name: str) -> Kept:
        """A plan on file, as it is still made today. Refused PLAN_CHANGED: an edit has made it void."""
        kept = self.file.load(name)
        now = self.again(kept)
        if now.digest != kept.plan.digest:
            raise Refused(
                "PLAN_CHANGED",
                f"plan {name}: expected {_changed(kept.plan, now)} as when it was saved, found it edited; every "
                f"approval of it is void. `{_made_by(kept.plan)} --save` makes a new one",
            )
        return kept

    def again(self, kept: Kept) -> Plan:
        """The same request, by the inventory and the drill as they are now."""
        asked = kept.request
        response = None if asked.response is None else Response(asked.response)
        today = date.fromisoformat(asked.today)
        if kept.plan.fails_back:
            return plan_home(self.places, self.site, kept.plan.fails_back.run, today)
        request = Request(kept.plan.mode, today, dict(asked.parameters), response, asked.down, asked.announced)
        return make_plan(self.site.topology, self.site.digest, load_drill(self.places.drills, kept.plan.drill), request)

    def signed(self, plan: Plan) -> list[Signed]:
        return self.file.signed(plan.drill)

    def sign(self, statement: Statement, key: Path | None) -> Signed:
        """Sign and keep it. Refused NOT_SIGNED: no key, or not one of this person."""
        if key is None:
            raise Refused(
                "NOT_SIGNED", f"expected a key of {statement.by} to sign with, found none; name one with --key"
            )
        typer.echo(f"signing {statement.kind} with {key} (a key on a token waits to be touched)", err=True)
        signature = ssh_signatures.sign(statement.canonical(), key, namespace(statement.kind))
        path = self.file.add(plan_id(statement), statement, signature)
        return Signed(statement=statement, file=path.name)


def plan_id(statement: Statement) -> str:
    return f"{statement.drill}-{statement.plan[:8]}"


def _made_by(plan: Plan) -> str:
    return f"drillctl failback {plan.fails_back.run}" if plan.fails_back else f"drillctl plan {plan.drill}"


def _changed(before: Plan, now: Plan) -> str:
    if before.inventory_digest != now.inventory_digest:
        return "the inventory"
    return "the drill's definition" if before.drill_digest != now.drill_digest else "what it was made from"


def statement(
    kind: StatementKind,
    kept: Kept,
    by: str,
    *,
    lasts: timedelta,
    reason: str = "",
    window: WindowReference | None = None,
) -> Statement:
    """What this person says now."""
    now = whole_seconds(clock().now())
    plan = kept.plan
    return Statement(
        kind=kind,
        site=plan.site,
        drill=plan.drill,
        mode=plan.mode,
        plan=plan.digest,
        by=by,
        requested_by=kept.request.by,
        window=window,
        reason=reason,
        at=now,
        not_after=now + lasts,
    )


def kept_or_made(  # noqa: PLR0913, PLR0917 - one option each
    desk: Desk,
    name: str,
    mode: Mode,
    by: Person,
    settings: list[str] | None,
    response: Response | None,
    down: list[str] | None,
    announced: Announced | None = None,
) -> Kept:
    """A plan on file by its id, or a drill's plan as it comes out now, with what was signed about the same one."""
    if desk.file.has(name):
        if settings or response or down or announced:
            options = "--set, --response, --down or --announcement"
            raise DefinitionError(f"{name}: expected no {options} beside a plan on file, found one")
        return desk.kept(name)
    made = planned(desk.places, desk.site, name, mode, settings, response, down, announced)
    if desk.file.has(made.id):
        return desk.kept(made.id)
    return Kept(plan=made, request=asked(by, asked_for(desk.site, mode, settings, response, down, announced)))


@dataclass
class Start:
    """An operator's start of a plan, asked for again as often as somebody else's locks keep it waiting."""

    desk: Desk
    kept: Kept
    by: Person
    key: Path | None
    reason: str = ""
    break_glass: bool = False
    signed: tuple[Signed, ...] = ()
    disaster: Disaster | None = None
    again: str = ""  # why gateways that were switched too often lately are switched once more

    def refuse(self) -> None:
        """Where it may not begin: refused by name, before anybody signs."""
        self._refuse_flapping()
        refuse_another_place(self.desk.places, self.kept.plan)
        refuse_second(self.desk.places, self.desk.site, self.kept.plan)
        claim = approvals.Claim(self.kept, self.by.id, whole_seconds(clock().now()))
        known = [*self._to_sign(), *self.desk.signed(self.kept.plan)]
        found = approvals.permit(claim, self.desk.site.topology.people, known)
        _in_its_window(self.desk, self.kept.plan, found, claim.at)

    def __call__(self) -> Permission:
        """Everything that has to be there is looked at first; then the operator signs, once as long as it counts.
        Refused by name.
        """
        desk, plan = self.desk, self.kept.plan
        self.refuse()
        now = whole_seconds(clock().now())
        claim = approvals.Claim(self.kept, self.by.id, now)
        people, known = desk.site.topology.people, desk.signed(plan)
        if not self.signed or any(item.statement.not_after - now < _AGAIN for item in self.signed):
            self.signed = tuple(desk.sign(item.statement, self.key) for item in self._to_sign())
        permit = _in_its_window(desk, plan, approvals.permit(claim, people, [*self.signed, *known]), now)
        permit = permit.model_copy(update={"disaster": self.disaster, "again": self.again})
        return Permission(permit, desk.file.bytes_of(plan.id, [item.file for item in permit.consents]))

    def _refuse_flapping(self) -> None:
        """By what runs of this site have switched in the same place: on the real site, or in this twin."""
        site, plan = self.desk.site.topology.site, self.kept.plan
        if self.again:
            return
        here = Place.of(Twin.current(), owned=False).locks
        journal = self.desk.places.journal(site.name)
        try:
            runs = [journal.state(item["run"]) for item in journal.runs() if item["mode"] != Mode.REHEARSAL]
            same = [state for state in runs if Place.read(state.place).locks == here]
            known = [one for state in same for one in switches(state.run, state.plan, journal.events(state.run))]
        finally:
            journal.close()
        refuse_flapping(plan, known, site, clock().now())

    def _to_sign(self) -> list[Signed]:
        kinds = [StatementKind.BREAK_GLASS, StatementKind.START] if self.break_glass else [StatementKind.START]
        said = [statement(kind, self.kept, self.by.id, lasts=_START_COUNTS, reason=self._said) for kind in kinds]
        return [Signed(statement=item, file="not signed yet") for item in said]

    @property
    def _said(self) -> str:
        """What stands beside the signature."""
        return "; ".join(text for text in (self.reason, f"{_AGAIN_SAID}: {self.again}" if self.again else "") if text)


def _in_its_window(desk: Desk, plan: Plan, permit: Permit, now: datetime) -> Permit:
    """Refused by name: it is not open now, or not the one that was approved. An incident waits for none."""
    if plan.mode is not Mode.DRILL:
        return permit
    calendar = load_calendar(desk.site.folder)
    found = passage_of(desk.site, calendar, plan, permit.window, now.timestamp(), expected_s=plan.longest_s)
    if isinstance(found, Closed):
        raise Refused(found.code, f"plan {plan.id}: {found.reason}")
    return permit.model_copy(update={"latest_return_at": found.latest_return_at})


def passage_of(
    site: LoadedSite,
    calendar: SiteCalendar,
    plan: Plan,
    approved: WindowReference | None,
    now: float,
    *,
    expected_s: float,
) -> Open | Closed:
    """Whether the window that a plan was approved for is open now, and so long after it."""
    known = {item.id: item for item in calendar.windows}
    window = None if approved is None else known.get(approved.id)
    if window is None or reference(window) != approved:
        named = "none" if approved is None else f"{approved.id} ({approved.number})"
        reason = f"expected the window that was approved, {named}, in calendar.yml as it was, found it changed or gone"
        return Closed("OUTSIDE_WINDOW", reason)
    return passage(
        calendar,
        zone=site.topology.site.timezone,
        drill=plan.drill,
        classes={change.gateway_class for change in plan.affected},
        at=now,
        expected_s=expected_s,
        window=window.id,
    )


def reference(window: Window) -> WindowReference:
    """What an approval is bound to."""
    return WindowReference(
        id=window.id,
        number=window.number,
        begins=window.begins,
        ends=window.ends,
        latest_return=window.latest_return,
    )


def asked(by: Person, request: Request) -> PlanRequest:
    """Who asked for a plan, and with which words."""
    return PlanRequest(
        by=by.id,
        at=whole_seconds(clock().now()),
        parameters=request.settings,
        response=None if request.response is None else request.response.value,
        down=request.out_of_service,
        today=request.today.isoformat(),
        announced=request.announced,
    )
