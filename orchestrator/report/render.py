"""RunRecord → one self-contained HTML page per language, and `run.json`.

The same record gives the same bytes: no clock, no environment, no random id is read here. The page asks
for nothing: styles and pictures are inside, and its own policy forbids it to load or to run anything.
"""

import json
import os
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final, get_args

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from orchestrator.model.record import RunRecord
from orchestrator.report import timeline
from orchestrator.report.checks import checked_phases, findings
from orchestrator.report.clause_table import covered, not_covered
from orchestrator.report.configurations import configurations
from orchestrator.report.context import Context
from orchestrator.report.gateways import class_rows, gateway_rows, place_rows, unmeasured, untimed
from orchestrator.report.headline import headline
from orchestrator.report.interruptions import abort_rows, decision_rows, interruption_rows
from orchestrator.report.limits import limits
from orchestrator.report.network_map import network_map
from orchestrator.report.network_state import Extent, before, during, extent
from orchestrator.report.objectives import objective_rows
from orchestrator.report.proofs import proof_rows
from orchestrator.report.restoration import difference_rows
from orchestrator.report.scope import scope
from orchestrator.report.sections import sections
from orchestrator.report.texts import Language
from orchestrator.report.tones import RESTORATION, STEP
from orchestrator.report.truth import truth

CONTENT_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def render(record: RunRecord, language: Language) -> str:
    """The report of one run in one language."""
    context = Context(record, language)
    area = extent(context)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            context=context,
            t=context.texts,
            m=context.moments,
            record=record,
            policy=CONTENT_POLICY,
            style=_style(),
            sections=sections(context),
            headline=headline(context),
            scope=scope(context),
            interruptions=interruption_rows(context),
            decisions=decision_rows(context),
            aborts=abort_rows(context),
            phases=timeline.phases(context),
            bars=timeline.gateways(context),
            bars_hidden=max(0, len(timeline.affected(context)) - timeline.ROWS_SHOWN),
            area=area,
            map_before=network_map(context, before(context), area, context.texts("map.before")),
            map_during=_during(context, area),
            gateways=gateway_rows(context),
            places=place_rows(context),
            unmeasured=unmeasured(context),
            untimed=untimed(context),
            classes=class_rows(context),
            checked_phases=checked_phases(context),
            findings=findings(context),
            proofs=proof_rows(context),
            configurations=configurations(context),
            covered=covered(context),
            not_covered=not_covered(context),
            differences=difference_rows(context),
            objectives=objective_rows(context),
            limits=limits(context),
            truth=truth(context),
        )
    )


def _during(context: Context, area: Extent) -> Markup | None:
    """None: no fault took place, so there is no "during"."""
    if context.record.fault_at is None:
        return None
    return network_map(context, during(context), area, context.texts("map.during"))


def write(record: RunRecord, folder: Path) -> dict[str, Path]:
    """Write `run.json`, `report.zh.html` and `report.en.html`; a reader sees each whole or not at all."""
    texts = {"json": run_json(record)} | {language: render(record, language) for language in get_args(Language)}
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
    environment.filters["css_string"] = css_string
    environment.globals.update(restoration_tone=RESTORATION, step_tone=STEP)
    return environment


@cache
def _style() -> Markup:
    return Markup(files("orchestrator.report").joinpath("templates/report.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file


def css_string(text: str) -> Markup:
    """A text as a CSS string: everything but letters and digits by its code point, so that nothing ends the string."""
    return Markup('"{}"').format(Markup(re.sub(r"[^A-Za-z0-9]", lambda char: f"\\{ord(char[0]):06x}", text)))  # noqa: S704 - escaped here
