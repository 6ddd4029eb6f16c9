"""RunRecord → one self-contained HTML page per language, and `run.json`.

The same record gives the same bytes: no clock, no environment, no random id is read here. The page asks
for nothing: styles and pictures are inside, and its own policy forbids it to load or to run anything.
"""

import base64
import json
import os
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, get_args

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from orchestrator.model.record import RunRecord
from orchestrator.report import timeline
from orchestrator.report.announced import announced_test
from orchestrator.report.audit_table import audit_shown
from orchestrator.report.basis import reach, rule_rows, rules
from orchestrator.report.calls import call_rows
from orchestrator.report.checks import checked_phases, findings, summary
from orchestrator.report.clause_table import by_document, covered, not_covered
from orchestrator.report.configurations import IN_FULL_ON_PAPER, configurations
from orchestrator.report.context import Context
from orchestrator.report.deadline import deadline
from orchestrator.report.disaster import disaster
from orchestrator.report.evaluation import evaluation_rows
from orchestrator.report.execution import deviation_rows, step_rows, went_by_plan
from orchestrator.report.gateways import class_rows, gateway_rows, place_rows, unmeasured, untimed
from orchestrator.report.headline import headline
from orchestrator.report.improvements import earlier_rows, issue_rows, revision
from orchestrator.report.interruptions import abort_rows, decision_rows, interruption_rows
from orchestrator.report.limits import limits
from orchestrator.report.network_map import network_map
from orchestrator.report.network_state import Extent, before, during, extent
from orchestrator.report.objectives import objective_rows
from orchestrator.report.outages import outage_table
from orchestrator.report.paths import paths
from orchestrator.report.people import attendants, contact_rows, role_rows, signers
from orchestrator.report.preparation import preparation
from orchestrator.report.promotion import promotion_lines
from orchestrator.report.proofs import proof_rows
from orchestrator.report.restoration import difference_rows, restored
from orchestrator.report.scope import scope
from orchestrator.report.sections import sections
from orchestrator.report.texts import Language, phrases
from orchestrator.report.tones import RESTORATION, STEP
from orchestrator.report.truth import truth
from orchestrator.report.verifying import contents, ways

CONTENT_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def render(record: RunRecord, language: Language, digest: str | None = None, *, on_paper: bool = False) -> str:
    """The report of one run in one language. `digest`: sha256 of the pack's EVIDENCE.sha256, where there is a pack.

    On paper the lists that run.json and the HTML have in full are left out, and pictures are images.
    """
    context = Context(record, language)
    values = _shared(context) | {"on_paper": on_paper} | _told(context, digest) | _shown(context) | _proved(context)
    return _environment().get_template("report.html.j2").render(values)


def _shared(context: Context) -> dict[str, Any]:
    return {
        "context": context,
        "t": context.texts,
        "m": context.moments,
        "record": context.record,
        "policy": CONTENT_POLICY,
        "style": _style("report.css"),
        "paper": _style("print.css"),
        "sections": sections(context),
        "headline": headline(context),
        "scope": scope(context),
        "preparation": preparation(context),
        "announced": announced_test(context),
        "audit": audit_shown(context),
    }


def _told(context: Context, digest: str | None) -> dict[str, Any]:
    """What is said in words: basis, people, findings, evaluation, and how to verify."""
    return {
        "digest": digest,
        "rules": rule_rows(context),
        "reach": reach(context),
        "covered": covered(context),
        "not_covered": not_covered(context),
        "not_covered_ids": by_document(not_covered(context)),
        "roles": role_rows(context),
        "contacts": contact_rows(context),
        "calls": call_rows(context),
        "signers": signers(context),
        "attendants": attendants(context),
        "evaluation": evaluation_rows(context),
        "issues": issue_rows(context),
        "earlier": earlier_rows(context),
        "revision": revision(context),
        "ways": ways(context, digest),
        "contents": contents(context),
        "limits": limits(context),
    }


def _shown(context: Context) -> dict[str, Any]:
    """The course of the run, in pictures and step by step."""
    area = extent(context)
    return {
        "phases": timeline.phases(context),
        "bars": timeline.gateways(context),
        "bars_hidden": max(0, len(timeline.affected(context)) - timeline.ROWS_SHOWN),
        "area": area,
        "map_before": network_map(context, before(context), area, context.texts("map.before")),
        "map_during": _during(context, area),
        "step_rows": step_rows(context),
        "deviations": deviation_rows(context),
        "went_by_plan": went_by_plan(context),
        "interruptions": interruption_rows(context),
        "decisions": decision_rows(context),
        "aborts": abort_rows(context),
        "promotion": promotion_lines(context),
    }


def _proved(context: Context) -> dict[str, Any]:
    """What was measured, checked and compared."""
    return {
        "gateways": gateway_rows(context),
        "places": place_rows(context),
        "unmeasured": unmeasured(context),
        "untimed": untimed(context),
        "classes": class_rows(context),
        "checked_phases": checked_phases(context),
        "checks_summary": summary(context),
        "findings": findings(context),
        "proofs": proof_rows(context),
        "configurations": configurations(context),
        "paths": paths(context),
        "in_full_on_paper": IN_FULL_ON_PAPER,
        "restored": restored(context),
        "differences": difference_rows(context),
        "objectives": objective_rows(context),
        "deadline": deadline(context),
        "disaster": disaster(context),
        "outages": outage_table(context),
        "truth": truth(context),
    }


def _during(context: Context, area: Extent) -> Markup | None:
    """None: no fault took place, so there is no "during"."""
    if context.record.fault_at is None:
        return None
    return network_map(context, during(context), area, context.texts("map.during"))


def make_ready() -> None:
    """Compile every template and read every text now."""
    for name in _environment().list_templates(extensions=("j2",)):
        _environment().get_template(name)
    phrases()
    rules()


def write(record: RunRecord, folder: Path, digest: str | None = None) -> dict[str, Path]:
    """Write `run.json`, `report.zh.html` and `report.en.html`; a reader sees each whole or not at all."""
    languages = get_args(Language)
    texts = {"json": run_json(record)} | {language: render(record, language, digest) for language in languages}
    paths = {name: folder / ("run.json" if name == "json" else f"report.{name}.html") for name in texts}
    for name, text in texts.items():  # everything is made before the first file is touched
        _write_atomically(paths[name], text)
    return paths


def run_json(record: RunRecord) -> str:
    """The record as one JSON document, by its field aliases, so that it can be read back and meets its schema."""
    data = record.model_dump(mode="json", by_alias=True)
    return json.dumps(data, sort_keys=True, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def _write_atomically(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("orchestrator.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(css_string=css_string, as_image=as_image)
    environment.globals.update(restoration_tone=RESTORATION, step_tone=STEP)
    return environment


@cache
def _style(name: str) -> Markup:
    return Markup(files("orchestrator.report").joinpath("templates", name).read_text(encoding="utf-8"))  # noqa: S704 - our own file


def as_image(picture: Markup) -> Markup:
    """A picture as an image of its own: a PDF writer need not match the page's styles with each of its shapes."""
    alternative = picture.partition("<title>")[2].partition("</title>")[0]  # escaped already
    data = base64.b64encode(picture.encode()).decode()
    return Markup('<img alt="{}" src="data:image/svg+xml;base64,{}">').format(alternative, data)


def css_string(text: str) -> Markup:
    """A text as a CSS string: everything but letters and digits by its code point, so that nothing ends the string."""
    return Markup('"{}"').format(Markup(re.sub(r"[^A-Za-z0-9]", lambda char: f"\\{ord(char[0]):06x}", text)))  # noqa: S704 - escaped here
