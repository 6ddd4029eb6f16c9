"""`drillctl approve`: say of a plan on file that it may be carried out, signed so that anybody can verify it."""

import shlex
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from orchestrator.cli.options import DEFAULT_SITE, Site
from orchestrator.cli.permission import By, Desk, Key, reference, statement
from orchestrator.errors import DefinitionError, Refused
from orchestrator.evidence.disk import replace
from orchestrator.loader.calendar import load_calendar
from orchestrator.model.approval import Kept, Statement, StatementKind, WindowReference, namespace
from orchestrator.model.drill import Mode
from orchestrator.rules.approvals import LONGEST, RIGHTS
from orchestrator.wiring.places import Places

_LONGEST_DAYS = LONGEST[StatementKind.APPROVE].days
_UNSIGNED = "to-sign"


def approve(  # noqa: PLR0913, PLR0917 - one option each
    plan: Annotated[
        str, typer.Argument(metavar="PLAN", help="A plan on file; `drillctl plan DRILL --save` prints it.")
    ],
    by: By = None,
    key: Key = None,
    window: Annotated[
        str | None, typer.Option("--window", metavar="ID", help="The window of calendar.yml that it is for.")
    ] = None,
    release: Annotated[
        bool, typer.Option("--release", help="Release settlement instead: clearing is done, nothing is in flight.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="What is to stand beside it.")] = "",
    days: Annotated[int, typer.Option("--days", min=1, max=_LONGEST_DAYS, help="How long it counts.")] = 7,
    signed: Annotated[
        Path | None,
        typer.Option(
            "--signed", metavar="FILE", help="A statement that was signed elsewhere, with FILE.sig beside it."
        ),
    ] = None,
    site: Site = DEFAULT_SITE,
) -> None:
    """Approve a plan on file. Without --key it writes what is to be signed, and the command that signs it."""
    places = Places()
    desk = Desk.of(places, places.site(site))
    kept = desk.kept(plan)
    if signed is not None:
        said = _elsewhere(signed, kept)
        desk.file.add(plan, said, signed.with_name(f"{signed.name}.sig").read_bytes())
        typer.echo(_told(desk, plan, said))
        return
    kind = StatementKind.RELEASE if release else StatementKind.APPROVE
    person = desk.person(by)
    if RIGHTS[kind] not in person.roles:
        raise Refused(
            "NO_RIGHT", f"expected {person.id} to have the role {RIGHTS[kind]}, found {', '.join(person.roles)}"
        )
    bound = None if release or kept.plan.mode is not Mode.DRILL else _window(desk, window)
    said = statement(kind, kept, person.id, lasts=_lasting(kind, days), reason=reason, window=bound)
    if key is None:
        _lay_out(desk, plan, said)
        return
    desk.sign(said, key)
    typer.echo(_told(desk, plan, said))


def _told(desk: Desk, plan: str, said: Statement) -> str:
    until = said.not_after.astimezone(ZoneInfo(desk.site.topology.site.timezone))
    return f"{said.kind} of {plan} by {said.by}, until {until:%Y-%m-%d %H:%M %z}"


def _lasting(kind: StatementKind, days: int) -> timedelta:
    return min(timedelta(days=days), LONGEST[kind])


def _window(desk: Desk, name: str | None) -> WindowReference:
    """No window is open by default: one is announced, or confirmed with SSCC, with its number."""
    windows = load_calendar(desk.site.folder).windows
    found = next((item for item in windows if item.id == name), None)
    if found is None:
        known = ", ".join(item.id for item in windows) or "none"
        raise DefinitionError(f"--window: expected a window of calendar.yml ({known}), found {name or 'nothing'}")
    return reference(found)


def _elsewhere(path: Path, kept: Kept) -> Statement:
    """DefinitionError: not a statement about this plan, or its signature is not beside it."""
    try:
        said = Statement.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DefinitionError(
            f"--signed {path}: expected a statement that `drillctl approve` wrote, found another"
        ) from error
    if said.canonical() != path.read_bytes() or said.plan != kept.plan.digest:
        raise DefinitionError(f"--signed {path}: expected a statement about plan {kept.plan.id}, found another")
    if not path.with_name(f"{path.name}.sig").is_file():
        raise DefinitionError(f"--signed {path}: expected its signature {path.name}.sig beside it, found none")
    return said


def _lay_out(desk: Desk, plan: str, said: Statement) -> None:
    path = desk.file.folder(plan) / _UNSIGNED / f"{said.kind}-{said.by}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, said.canonical())
    words = ["ssh-keygen", "-Y", "sign", "-n", namespace(said.kind), "-f", "KEY", str(path)]
    typer.echo(
        f"{path} is to be signed by {said.by}:\n  {shlex.join(words)}\nthen:\n  drillctl approve {plan} --signed {path}"
    )
