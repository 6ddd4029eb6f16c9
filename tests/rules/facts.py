"""The example site as the audit judges it, on a fixed day, and ways to change its records."""

from dataclasses import replace
from datetime import date
from typing import Any

from orchestrator.loader.platform_export import read_export
from orchestrator.loader.records import load_records
from orchestrator.loader.site import load_site
from orchestrator.model.platform_export import ExportRow, PlatformExport
from orchestrator.model.topology import Topology
from orchestrator.rules.facts import Facts
from tests.rules.edit import changed
from tests.support.sites import ROOT

TODAY = date(2026, 11, 22)
FOLDER = ROOT / "inventory/example"
_SITE = load_site(FOLDER)
_RECORDS = load_records(FOLDER, _SITE.topology, TODAY)
assert _RECORDS.platform is not None
EXAMPLE = Facts(
    _SITE.topology,
    TODAY,
    _RECORDS,
    read_export(FOLDER / "platform-export.csv", _RECORDS.platform.export),
)


def over(topology: Topology) -> Facts:
    """The example's facts with another topology."""
    return replace(EXAMPLE, topology=topology)


def recorded(facts: Facts, **fields: Any) -> Facts:
    """The facts with whole parts of the records replaced; built without validation."""
    return replace(facts, records=facts.records.model_copy(update=fields))


def entry(facts: Facts, kind: str, name: str, **fields: Any) -> Facts:
    """The facts with fields of one record changed. `name`: its id, or what it is about."""
    items = getattr(facts.records, kind)
    hits = [item for item in items if _name(item) == name]
    assert len(hits) == 1, f"{kind} has no {name}"
    return recorded(
        facts, **{kind: tuple(item.model_copy(update=fields) if item is hits[0] else item for item in items)}
    )


def installed(facts: Facts, gateway: str, version: str) -> Facts:
    """The facts with another version at a gateway."""
    software = facts.records.software
    items = tuple(
        item.model_copy(update={"version": version}) if item.gateway == gateway else item for item in software.installed
    )
    return recorded(facts, software=software.model_copy(update={"installed": items}))


def part(facts: Facts, kind: str, **fields: Any) -> Facts:
    """The facts with fields changed of a record of which there is one."""
    return recorded(facts, **{kind: getattr(facts.records, kind).model_copy(update=fields)})


def account(facts: Facts, person: str, **fields: Any) -> Facts:
    """The facts with one account on the platform changed."""
    assert facts.records.platform is not None
    items = tuple(
        item.model_copy(update=fields) if item.person == person else item for item in facts.records.platform.accounts
    )
    return part(facts, "platform", accounts=items)


def exported(facts: Facts, certificate: str, /, **fields: Any) -> Facts:
    """The facts with the platform's line of one certificate changed."""
    assert facts.platform is not None
    rows = [row.model_copy(update=fields) if row.certificate == certificate else row for row in facts.platform.rows]
    return replace(facts, platform=PlatformExport(name="export.csv", rows=tuple(rows)))


def not_exported(facts: Facts, number: str) -> Facts:
    """The facts with a gateway that the platform does not know."""
    assert facts.platform is not None
    rows = tuple(row for row in facts.platform.rows if row.number != number)
    return replace(facts, platform=PlatformExport(name="export.csv", rows=rows))


def also_exported(facts: Facts, number: str, certificate: str) -> Facts:
    """The facts with one more line on the platform."""
    assert facts.platform is not None
    row = ExportRow(
        number=number,
        gateway_class=None,
        certificate=certificate,
        is_valid=True,
        is_revoked=False,
        state="有效",
        valid_to=None,
    )
    return replace(facts, platform=PlatformExport(name="export.csv", rows=(*facts.platform.rows, row)))


def in_topology(facts: Facts, kind: str, name: str, **fields: Any) -> Facts:
    """The facts with one item of the topology changed."""
    return replace(facts, topology=changed(facts.topology, kind, name, **fields))


def _name(item: Any) -> str:
    found = next(getattr(item, name) for name in ("id", "line", "certificate", "document") if hasattr(item, name))
    assert isinstance(found, str)
    return found
