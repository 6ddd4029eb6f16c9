"""`drillctl review`: look afterwards at what one person did alone, and sign that it was looked at."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from orchestrator.cli.evidence.keeping import said, writing
from orchestrator.cli.options import DEFAULT_SITE, RunId, Site
from orchestrator.cli.permission import By, Desk, Key
from orchestrator.errors import DefinitionError, Refused
from orchestrator.evidence import ssh_signatures
from orchestrator.evidence.findings import states
from orchestrator.evidence.ledger_lines import Entry, opens
from orchestrator.loader.site import SIGNERS
from orchestrator.model.approval import Statement, StatementKind, namespace, whole_seconds
from orchestrator.model.evidence import FindingKind, FindingState, LedgerKind, LedgerLine
from orchestrator.rules.approvals import LONGEST
from orchestrator.rules.reviews import refuse_reviewer
from orchestrator.wiring.places import Places, clock


def review(
    run: RunId,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="What you looked at, and what you found.")],
    by: By = None,
    key: Key = None,
    site: Site = DEFAULT_SITE,
) -> None:
    """Review a break-glass start, or a promotion by one person: signed, on the ledger; its finding is closed by it."""
    text = said("--reason", reason)
    places = Places()
    desk = Desk.of(places, places.site(site))
    person = desk.person(by)
    ledger = writing(places, site)
    lines = ledger.lines()
    opened = _opened(lines, run)
    waiting = _waiting(lines, run)
    refuse_reviewer(run, person, str(opened["operator"]), [item.finding.subject for item in waiting])
    statement = _statement(opened, run, person.id, text)
    if key is None:
        raise Refused("NOT_SIGNED", f"expected a key of {person.id} to sign with, found none; name one with --key")
    signature = _signed(desk, statement, key)
    ledger.append_all([_closing(item, statement, signature) for item in waiting])
    names = ", ".join(item.finding.id for item in waiting)
    typer.echo(f"review of {run} by {person.id} is on the ledger; closed: {names}")


def _opened(lines: Sequence[LedgerLine], run: str) -> dict[str, Any]:
    line = next((line for line in lines if opens(line, run)), None)
    if line is None:
        raise DefinitionError(f"RUN {run}: expected a run on the ledger, found no such; `drillctl status` lists them")
    return line.data


def _waiting(lines: Sequence[LedgerLine], run: str) -> list[FindingState]:
    """The run's findings that a review closes. Refused by name where there is none, or none any more."""
    known = [item for item in states(lines) if (item.finding.run, item.finding.kind) == (run, FindingKind.REVIEW)]
    if not known:
        raise Refused(
            "NOTHING_TO_REVIEW",
            f"run {run}: expected a finding of a break-glass start or of a promotion, found none; "
            "it is there once the run is closed",
        )
    waiting = [item for item in known if item.is_open]
    if not waiting:
        raise Refused(
            "FINDING_CLOSED",
            f"run {run}: expected a review that is still open, found it given on {str(known[0].closed_at)[:10]} by "
            f"{known[0].closed_by}",
        )
    return waiting


def _statement(opened: dict[str, Any], run: str, by: str, reason: str) -> Statement:
    now = whole_seconds(clock().now())
    return Statement(
        kind=StatementKind.REVIEW,
        site=opened["site"],
        drill=opened["drill"],
        mode=opened["mode"],
        plan=opened["plan_digest"],
        run=run,
        by=by,
        reason=reason,
        at=now,
        not_after=now + LONGEST[StatementKind.REVIEW],
    )


def _signed(desk: Desk, statement: Statement, key: Key) -> str:
    """Refused NOT_SIGNED: by a key that is not one of this person."""
    assert key is not None  # noqa: S101 - asked for before
    space = namespace(statement.kind)
    signature = ssh_signatures.sign(statement.canonical(), key, space)
    checked = ssh_signatures.check(
        statement.canonical(), signature, statement.by, desk.site.folder / SIGNERS, space, statement.at
    )
    if not checked.ok:
        raise Refused("NOT_SIGNED", checked.problem)
    return signature.decode("ascii")


def _closing(item: FindingState, statement: Statement, signature: str) -> Entry:
    return LedgerKind.FINDING_CLOSED, {
        "id": item.finding.id,
        "by": statement.by,
        "reason": statement.reason,
        "retest_run": None,
        "statement": statement.model_dump(mode="json"),
        "signature": signature,
    }
