"""`drillctl findings`: what runs found to be mended, who answers for it, and what became of it."""

import getpass
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from orchestrator.adapters.clock import SystemClock
from orchestrator.cli.evidence.keeping import reading, said, writing
from orchestrator.cli.options import DEFAULT_SITE, Json, Site
from orchestrator.errors import DefinitionError, Refused
from orchestrator.evidence.findings import states
from orchestrator.evidence.ledger import Ledger
from orchestrator.evidence.retest import not_later, not_retested
from orchestrator.evidence.sealed_record import sealed_record
from orchestrator.model.evidence import FindingKind, FindingState, LedgerKind
from orchestrator.wiring.places import Places

findings = typer.Typer(help="Findings of runs: list, assign and close them.", invoke_without_command=True)

_Id = Annotated[str, typer.Argument(metavar="ID", help="A finding's id; `drillctl findings` lists them.")]
_By = Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who; without it, the user.")]


@findings.callback()
def show(
    context: typer.Context,
    drill: Annotated[str | None, typer.Option("--drill", metavar="DRILL", help="Only those of one drill.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Those that are closed, too.")] = False,
    as_json: Json = False,
) -> None:
    """List what is open; with --all also what was closed, and how."""
    if context.invoked_subcommand:
        return
    places = Places()
    known = states(reading(places).lines())
    if drill is not None:
        _need_drill(places, drill, known)
    known = [item for item in known if drill in (None, item.finding.drill)]
    found = [item for item in known if everything or item.is_open]
    if as_json:
        typer.echo(json.dumps([_data(item) for item in found], ensure_ascii=False, indent=2))
        return
    _list(found)
    hidden = len(known) - len(found)
    more = f", {hidden} closed (--all lists them)" if hidden else f", {_closed(found)} closed" if everything else ""
    typer.echo(f"{len(found) - _closed(found)} open{more}")


def _closed(found: Sequence[FindingState]) -> int:
    return sum(not item.is_open for item in found)


def _need_drill(places: Places, name: str, known: Sequence[FindingState]) -> None:
    """One that is defined, or that was when it found something."""
    drills = sorted({path.stem for path in places.drills.glob("*.yml")} | {item.finding.drill for item in known})
    if name not in drills:
        raise DefinitionError(f"--drill {name}: expected a drill ({', '.join(drills)}), found no such")


@findings.command()
def close(
    finding: _Id,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why it is closed.")] = None,
    retest: Annotated[
        str | None, typer.Option("--retest", metavar="RUN", help="A later run that passed what had failed.")
    ] = None,
    by: _By = None,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Close a finding with a reason, or by a later run that really passed what had failed."""
    if (reason is None) == (retest is None):
        raise DefinitionError(
            f"findings close: expected --reason or --retest, found {'neither' if not reason else 'both'}"
        )
    places = Places()
    ledger = writing(places, site)
    state = _open_one(ledger, finding)
    if state.finding.kind is FindingKind.REVIEW:
        raise Refused(
            "REVIEW_NEEDED",
            f"{finding}: expected a signed review by somebody else, found a closing; "
            f"`drillctl review {state.finding.run} --by PERSON --key FILE --reason TEXT`",
        )
    if retest:
        _need_passed(places, ledger, state, retest)
    text = said("--reason", reason) if reason is not None else "retested"
    data = {"id": finding, "by": _who(by), "reason": text, "retest_run": retest}
    ledger.append(LedgerKind.FINDING_CLOSED, data)
    _done(ledger, finding, as_json=as_json)


@findings.command()
def assign(
    finding: _Id,
    owner: Annotated[str | None, typer.Option("--owner", metavar="PERSON", help="A person's id of people.yml.")] = None,
    due: Annotated[str | None, typer.Option("--due", metavar="DATE", help="Until when, as 2026-12-31.")] = None,
    by: _By = None,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Say who answers for a finding, and until when."""
    if owner is None and due is None:
        raise DefinitionError("findings assign: expected --owner, --due or both, found neither")
    places = Places()
    changed: dict[str, Any] = {}
    if owner is not None:
        changed["owner"] = _person(places, site, owner)
    if due is not None:
        changed["due"] = _date(due).isoformat()
    ledger = writing(places, site)
    _open_one(ledger, finding)
    ledger.append(LedgerKind.FINDING_CHANGED, {"id": finding, **changed, "by": _who(by)})
    _done(ledger, finding, as_json=as_json)


def _who(by: str | None) -> str:
    return said("--by", by) if by is not None else getpass.getuser()


def _open_one(ledger: Ledger, name: str) -> FindingState:
    known = {item.finding.id: item for item in states(ledger.lines())}
    if name not in known:
        raise DefinitionError(
            f"expected a finding of the ledger, found none called {name}; `drillctl findings` lists them"
        )
    state = known[name]
    if not state.is_open:
        raise Refused(
            "FINDING_CLOSED",
            f"expected {name} open, found it closed on {str(state.closed_at)[:10]} by {state.closed_by}",
        )
    return state


def _need_passed(places: Places, ledger: Ledger, state: FindingState, run: str) -> None:
    lines = ledger.lines()
    why = not_later(state.finding, run, lines)
    why = why or not_retested(state.finding, sealed_record(places.reports, run, lines))
    if why:
        raise Refused("NOT_RETESTED", f"{state.finding.id} by {run}: {why}; the finding stays open")


def _person(places: Places, site: Path, name: str) -> str:
    people = places.site(site).topology.people.people
    if name not in {person.id for person in people}:
        known = ", ".join(person.id for person in people) or "none"
        raise DefinitionError(f"--owner {name}: expected a person of people.yml ({known}), found no such")
    return name


def _date(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise DefinitionError(f"--due {text}: expected a date as 2026-12-31, found {text!r}") from error
    today = datetime.fromtimestamp(SystemClock().now(), UTC).date()
    if day < today:
        raise DefinitionError(f"--due {text}: expected a day that is still to come, found one before {today}")
    return day


def _done(ledger: Ledger, name: str, *, as_json: bool) -> None:
    state = next(item for item in states(ledger.lines()) if item.finding.id == name)
    if as_json:
        typer.echo(json.dumps(_data(state), ensure_ascii=False))
        return
    finding = state.finding
    if state.is_open:
        typer.echo(f"{name}: {finding.owner or 'nobody yet'} answers for it, due {finding.due}")
    else:
        how = f"by the retest {state.retest_run}" if state.retest_run else f"with the reason: {state.reason}"
        typer.echo(f"{name}: closed {how}")


def _data(state: FindingState) -> dict[str, Any]:
    return {"open": state.is_open, **state.model_dump(mode="json")}


def _list(found: Sequence[FindingState]) -> None:
    """Two lines each: which and whose, then what. Findings quote hosts and people: nothing in them is markup."""
    console = Console(soft_wrap=True, highlight=False)
    today = datetime.fromtimestamp(SystemClock().now(), UTC).date()
    for item in found:
        finding = item.finding
        due = Text(f"due {finding.due}", "bold red" if date.fromisoformat(finding.due) < today else "")
        state = due if item.is_open else Text(f"closed {str(item.closed_at)[:10]}", "green")
        owner = finding.owner or "nobody yet"
        console.print(Text.assemble((finding.id, "bold"), "  ", state, f"  {owner}  {finding.drill}"))
        console.print(Text(f"  {finding.title.en}"))
        if not item.is_open:
            retest = f" by {item.retest_run}" if item.retest_run else ""
            console.print(Text(f"  {item.reason}{retest} ({item.closed_by})", "dim"))
