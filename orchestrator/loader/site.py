"""A site's folder (`inventory/<site>/`) and its catalogues → Topology, with the digest of what was read."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import DefinitionError, Problem
from orchestrator.loader.document import parse, read
from orchestrator.model.topology import Host, Router, Topology

FILES = ("topology.yml", "profiles.yml", "hosts.yml", "people.yml")


@dataclass(frozen=True)
class LoadedSite:
    """A site as read: its folder, topology, and sha256 over all files it was read from."""

    folder: Path
    topology: Topology
    digest: str
    files: tuple[Path, ...]


def load_site(folder: Path) -> LoadedSite:
    """Read and check a whole site. DefinitionError names file, line and field of every problem."""
    if not folder.is_dir():
        raise DefinitionError(
            f"{folder}: expected a site folder (inventory/NAME), found none; choose one with "
            "--site, or make one with `drillctl init NAME`"
        )
    document = read(folder / "topology.yml")
    for part in ("profiles", "people"):
        document.place(part, read(folder / f"{part}.yml"))
    files = [folder / name for name in FILES]
    for index, name in enumerate(document.data.pop("catalogue", None) or []):
        catalogue = folder.parent / "catalogue" / f"{name}.yml"
        if not catalogue.is_file():
            raise DefinitionError(
                [document.located(Problem(("catalogue", index), f"expected a catalogue {catalogue}, found none"))]
            )
        files.append(catalogue)
        document.merge(read(catalogue))
    topology = parse(Topology, document)
    _hosts_agree(folder / "hosts.yml", topology)
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return LoadedSite(folder, topology, digest.hexdigest(), tuple(files))


def inventory_hosts(path: Path) -> dict[str, tuple[tuple[str | int, ...], dict[str, Any]]]:
    """Every host of an Ansible inventory in YAML: name → (field path, its own variables with its groups')."""
    document = read(path)
    found: dict[str, tuple[tuple[str | int, ...], dict[str, Any]]] = {}
    _collect(document.data, (), {}, found)
    return found


def _collect(
    groups: dict[str, Any],
    path: tuple[str | int, ...],
    inherited: dict[str, Any],
    found: dict[str, tuple[tuple[str | int, ...], dict[str, Any]]],
) -> None:
    for name, group in groups.items():
        body = group or {}
        variables = {**inherited, **(body.get("vars") or {})}
        for host, own in (body.get("hosts") or {}).items():
            merged = {**(found[host][1] if host in found else {}), **variables, **(own or {})}
            found[host] = ((*path, name, "hosts", host), merged)
        _collect(body.get("children") or {}, (*path, name, "children"), variables, found)


def _hosts_agree(path: Path, topology: Topology) -> None:
    """Each gateway host and CE router stands in hosts.yml with the address that topology.yml gives."""
    document = read(path)
    known = inventory_hosts(path)
    problems = []
    items: list[Host | Router] = [*topology.hosts, *topology.routers]
    for item in items:
        if item.id not in known:
            problems.append(
                Problem(("all",), f"expected host {item.id} of topology.yml, found no entry", document.where(("all",)))
            )
            continue
        field, variables = known[item.id]
        address = str(variables.get("ansible_host", item.id))
        if address != str(item.management_address):
            problems.append(
                document.located(
                    Problem(
                        (*field, "ansible_host"),
                        f"expected {item.management_address} as in topology.yml, found {address}",
                    )
                )
            )
    if problems:
        raise DefinitionError(problems)
