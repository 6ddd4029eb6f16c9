"""An audit as one self-contained page, Chinese first with the English below. It asks for nothing and reads no clock."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from pydantic import TypeAdapter

from orchestrator.model.audit import Finding, Result, Severity
from orchestrator.model.base import Title
from orchestrator.model.packaged import packaged_yaml
from orchestrator.report.render import CONTENT_POLICY
from orchestrator.rules.clauses import Means, clause_register
from orchestrator.rules.facts import Live
from orchestrator.rules.waivers import IdleWaiver

_TONE: Final = {"satisfied": "good", "violated": "bad", "waived": "warn", "not_judged": "unknown"}
_STATES: Final = ("violated", "waived", "not_judged", "satisfied", "not_applicable")


@dataclass(frozen=True)
class AuditSheet:
    """What a page is made of. `digest`: of the inventory that was judged."""

    site: Title
    today: date
    digest: str
    findings: Sequence[Finding]
    idle: Sequence[IdleWaiver] = ()
    live: Live | None = None


@dataclass(frozen=True)
class ClauseRow:
    """One clause, and how often each state was found for it. `counts`: state → how often, where at all."""

    id: str
    text: Title
    counts: tuple[tuple[str, int], ...]


def render(sheet: AuditSheet) -> str:
    """The page. The same audit gives the same bytes."""
    found = {state: [item for item in sheet.findings if state_of(item) == state] for state in _STATES}
    found["violated"].sort(key=lambda item: tuple(Severity).index(item.severity))
    return (
        _environment()
        .get_template("audit.html.j2")
        .render(
            sheet=sheet,
            found=found,
            clauses=clause_rows(sheet.findings),
            errors=sum(item.is_error for item in sheet.findings),
            texts=_texts(),
            tone=lambda state: _TONE.get(state, "muted"),
            policy=CONTENT_POLICY,
            style=_style(),
        )
    )


def state_of(finding: Finding) -> str:
    """The result, with what is waived apart: neither satisfied nor open."""
    return "waived" if finding.waived is not None else finding.result.value


def clause_rows(findings: Iterable[Finding]) -> list[ClauseRow]:
    """Every clause of the register that an audit serves, then the other sources that a rule cites."""
    listed = list(findings)
    register = clause_register()
    served = {clause.id: clause.text for clause in register.clauses if Means.AUDIT in clause.served_by}
    cited = {item.clause: register.clause[item.clause].text for item in listed if item.clause in register.clause}
    known = {clause.id: clause.text for clause in register.clauses if clause.id in served or clause.id in cited}
    others = {item.clause: _texts()["other_source"] for item in listed if item.clause not in known}
    return [ClauseRow(name, text, _counts(name, listed)) for name, text in (known | others).items()]


def _counts(clause: str, findings: list[Finding]) -> tuple[tuple[str, int], ...]:
    states = [state_of(item) for item in findings if item.clause == clause]
    return tuple((state, states.count(state)) for state in _STATES if state in states)


def _age(finding: Finding, today: date) -> int:
    """Days since an audit first found it."""
    return (today - (finding.first_seen or today)).days


def _is_told(finding: Finding) -> bool:
    """Whether what to do is said beside it."""
    return finding.mend is not None and finding.result in (Result.VIOLATED, Result.NOT_JUDGED)


@cache
def _texts() -> dict[str, Title]:
    return TypeAdapter(dict[str, Title]).validate_python(packaged_yaml("report", "audit_texts.yml"))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("orchestrator.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(age=_age)
    environment.tests.update(told=_is_told)
    return environment


@cache
def _style() -> Markup:
    return Markup(files("orchestrator.report").joinpath("templates/report.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file
