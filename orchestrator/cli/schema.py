"""`drillctl schema`: JSON Schemas of definitions, inventory and run.json, for editors and for readers of evidence."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, TypeAdapter

from orchestrator.evidence.annual_model import AnnualSummary
from orchestrator.model.access import Access
from orchestrator.model.calendar import SiteCalendar
from orchestrator.model.drill import Drill
from orchestrator.model.evidence import EvidenceSettings
from orchestrator.model.notify import NotifySettings
from orchestrator.model.people import People
from orchestrator.model.record import RunRecord
from orchestrator.model.records import Records
from orchestrator.model.schedule import Schedule
from orchestrator.model.topology import Profile, Topology


def schemas() -> dict[str, dict[str, Any]]:
    """Schema by file name. A site's topology.yml takes profiles and some fronts from other files."""
    topology = Topology.model_json_schema(by_alias=True)
    for apart in ("profiles", "people"):
        topology["properties"].pop(apart)
    topology["properties"]["catalogue"] = {
        "type": "array",
        "items": {"type": "string"},
        "description": "Endpoint catalogues",
    }
    topology["required"] = [name for name in topology["required"] if name != "profiles"]
    found: dict[str, dict[str, Any]] = {"topology.schema.json": topology, "calendar.schema.json": _calendar()}
    models: dict[str, type[BaseModel]] = {
        "access.schema.json": Access,
        "annual.schema.json": AnnualSummary,
        "drill.schema.json": Drill,
        "evidence.schema.json": EvidenceSettings,
        "notify.schema.json": NotifySettings,
        "records.schema.json": Records,
        "run.schema.json": RunRecord,
        "schedule.schema.json": Schedule,
    }
    found |= {name: model.model_json_schema(by_alias=True) for name, model in models.items()}
    found["people.schema.json"] = People.model_json_schema()
    found["profiles.schema.json"] = TypeAdapter(dict[str, Profile]).json_schema()
    return found


def _calendar() -> dict[str, Any]:
    """A site's calendar.yml takes the trading days from the catalogue."""
    calendar = SiteCalendar.model_json_schema(by_alias=True)
    calendar["properties"].pop("trading_days")
    calendar["required"] = [name for name in calendar["required"] if name != "trading_days"]
    return calendar


def schema(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write the schemas.")] = Path(
        "docs/reference"
    ),
) -> None:
    """Write the JSON Schemas of drills, inventory and run.json, so that editors complete them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, body in schemas().items():
        (folder / name).write_text(
            json.dumps(body, indent=2, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8"
        )
        typer.echo(f"wrote {folder / name}")
