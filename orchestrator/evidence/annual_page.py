"""The annual summary as a page: one self-contained HTML per language, which asks for nothing and reads no clock."""

import json
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from orchestrator.evidence import annual_coverage as coverage
from orchestrator.evidence import annual_rows as rows
from orchestrator.evidence.annual_chart import MOST, Words, chart
from orchestrator.evidence.annual_model import AnnualSummary, Trend
from orchestrator.evidence.annual_texts import AnnualTexts
from orchestrator.evidence.coverage import Names
from orchestrator.report.render import CONTENT_POLICY
from orchestrator.report.texts import Language

_COLUMNS: Final = 15  # our choice: scenarios in one matrix, so that it fits the width of a page
_ROWS: Final = 500  # our choice: ways on the page; all of them are in annual.json
_OUTCOMES: Final = ("passed", "failed", "inconclusive", "aborted")


def as_json(summary: AnnualSummary) -> str:
    """The summary as one JSON document."""
    data = summary.model_dump(mode="json")
    return json.dumps(data, sort_keys=True, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def render(summary: AnnualSummary, names: Names, language: Language) -> str:
    """The page in one language. The same summary gives the same bytes."""
    texts = AnnualTexts(language)
    sheet = rows.Sheet(summary, names, texts)
    scenarios = coverage.scenario_rows(sheet)
    ways = coverage.way_rows(sheet)
    return (
        _environment()
        .get_template("annual.html.j2")
        .render(
            s=summary,
            t=texts,
            sheet=sheet,
            language=language,
            policy=CONTENT_POLICY,
            style=_style(),
            overview=_overview(summary, texts),
            held=_outcomes(summary.counts.held_by_outcome, texts),
            drills=[run for run in summary.runs if run.form == "drill"],
            rehearsals=[run for run in summary.runs if run.form == "rehearsal"],
            incidents=[run for run in summary.runs if run.form in ("incident", "failback")],
            explained=list(rows.explained(summary.runs)),
            objectives=lambda run: rows.objectives_of(sheet, run),
            charts=[_chart(trend, texts) for trend in summary.trends],
            is_long=any(len(trend.points) > MOST for trend in summary.trends),
            most=MOST,
            scenarios=scenarios,
            gaps=coverage.gaps(sheet, scenarios),
            matrices=_matrices(sheet),
            ways=ways[:_ROWS],
            ways_hidden=max(0, len(ways) - _ROWS),
            findings=rows.finding_rows(sheet),
            anchors=texts.joined(
                texts("evidence.anchor", on=item.on, to=item.to, seq=item.seq) for item in summary.anchored
            ),
            unsealed=[run.run for run in summary.runs if run.pack is None and run.outcome != "open"],
            packs=[run for run in summary.runs if run.pack],
            tone=rows.TONE,
        )
    )


def as_pdf(page: str, document: bytes, summary: AnnualSummary) -> bytes:
    """The page as PDF with `annual.json` inside. Characters that people wrote and our fonts lack are spelled out."""
    at = datetime(summary.until.year, summary.until.month, summary.until.day, tzinfo=UTC).timestamp()
    from orchestrator.report.pdf import (  # noqa: PLC0415 - a second that only PDFs may take
        Embedded,
        MissingGlyphs,
        html_to_pdf,
        spelled,
    )

    embedded = (Embedded("annual.json", document, "annual.json", at),)
    try:
        return html_to_pdf(page, embedded)
    except MissingGlyphs as missing:
        return html_to_pdf(page.translate({ord(char): spelled(char) for char in missing.characters}), embedded)


def _overview(summary: AnnualSummary, texts: AnnualTexts) -> list[str]:
    counts, until = summary.counts, summary.until
    first = "overview.first" if counts.held else "overview.none_held"
    outcomes = _outcomes(counts.held_by_outcome, texts)
    listed = texts("overview.outcomes", list=outcomes) if outcomes else ""
    names = {"year": summary.year, "until": until, "held": counts.held, "outcomes": listed}
    said = [texts(first, **names, not_started=counts.not_started, cancelled=counts.cancelled)]
    said.append(texts("overview.second", n=counts.rehearsals) if counts.rehearsals else texts("overview.no_rehearsals"))
    if counts.incidents:
        said.append(texts("overview.incidents", n=counts.incidents))
    said.append(texts("overview.scenarios", of=counts.scenarios, n=counts.scenarios_held))
    findings = {"opened": counts.findings_opened, "closed": counts.findings_closed, "open": counts.findings_open}
    said.append(texts("overview.third", **findings, overdue=counts.findings_overdue, until=until))
    if counts.open:
        said.append(texts("overview.open", n=counts.open))
    return said


def _outcomes(counted: dict[str, int], texts: AnnualTexts) -> str:
    return texts.joined(
        texts("overview.one_outcome", outcome=texts(f"outcome.{name}"), n=counted[name])
        for name in _OUTCOMES
        if counted.get(name)
    )


def _chart(trend: Trend, texts: AnnualTexts) -> tuple[Trend, Markup]:
    words = Words(
        title=f"{texts.of(trend.drill_title)} {texts.of(trend.title)}",
        limit=texts("trends.limit"),
        not_measured=texts("state.not_measured"),
        forms={name: texts(f"form.{name}") for name in ("drill", "rehearsal", "incident", "failback")},
    )
    return trend, chart(trend.model_copy(update={"unit": texts(f"unit.{trend.unit}")}), words)


def _matrices(sheet: rows.Sheet) -> list[tuple[list[str], list[coverage.MatrixRow]]]:
    """As many scenarios side by side as the page is wide."""
    numbers = coverage.numbered(sheet)
    keys = list(numbers)
    chunks = [keys[at : at + _COLUMNS] for at in range(0, len(keys), _COLUMNS)]
    return [([numbers[key] for key in chunk], coverage.matrix(sheet, chunk)) for chunk in chunks]


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("orchestrator.evidence", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _style() -> Markup:
    text = files("orchestrator.evidence").joinpath("templates/annual.css").read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704 - our own file
