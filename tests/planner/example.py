"""The example site with a few things changed, and plans for it."""

from typing import Any

from orchestrator.model.drill import Mode, Response
from orchestrator.model.plan import GatewayChange, Plan
from orchestrator.model.topology import Topology
from tests.report.record_example import plan_of, site

TOPOLOGY = site().topology


def changed(what: dict[str, Any]) -> Topology:
    """The example with fields of items replaced: {kind: {id: {field: value}}}. `site` has fields only; `paths` are
    joined.
    """
    data = TOPOLOGY.model_dump(mode="json", by_alias=True)
    for kind, items in what.items():
        if kind == "site":
            data["site"].update(items)
            continue
        if kind == "profiles":
            for name, fields in items.items():
                data["profiles"][name].update(fields)
            continue
        by_id = {item["id"]: item for item in data[kind]}
        for name, fields in items.items():
            item = by_id[name]
            item.update({key: {**item[key], **value} if key == "paths" else value for key, value in fields.items()})
    return Topology.model_validate(data)


def planned(
    topology: Topology = TOPOLOGY,
    drill: str = "single-centre-failure",
    response: Response | None = None,
    mode: Mode = Mode.REHEARSAL,
    **settings: str,
) -> Plan:
    return plan_of(drill, mode, response, topology, **settings)


def change_of(plan: Plan, gateway: str) -> GatewayChange:
    return next(change for change in plan.gateways if change.gateway == gateway)
