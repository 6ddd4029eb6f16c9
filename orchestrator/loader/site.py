"""A site's folder (`inventory/<site>/`) and its catalogues → Topology, with the digest of what was read."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orchestrator.errors import DefinitionError, Problem
from orchestrator.loader.access import FILE as ACCESS
from orchestrator.loader.access import load_access
from orchestrator.loader.document import Document, FieldPath, parse, read
from orchestrator.model.access import Access
from orchestrator.model.records import RECORDS
from orchestrator.model.topology import Host, Router, Topology

FILES = ("topology.yml", "profiles.yml", "hosts.yml", "people.yml")
SIGNERS = "allowed_signers"  # keys of those who may sign, as OpenSSH has them; a site that only rehearses has none


@dataclass(frozen=True)
class LoadedSite:
    """A site as read: its folder, topology, and sha256 over all files it was read from.

    `files`: those, and the firm's records where it has any. `access`: how it is reached over the real network; None:
    never.
    """

    folder: Path
    topology: Topology
    digest: str
    files: tuple[Path, ...]
    access: Access | None = None
    is_simulated: bool = False

    def simulated(self) -> "LoadedSite":
        """As the twin has it, where every host is scriptable."""
        return replace(self, topology=self.topology.as_simulated(), is_simulated=True)


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
    files += [folder / name for name in (SIGNERS, ACCESS) if (folder / name).is_file()]
    catalogues = document.data.pop("catalogue", None) or []
    if not isinstance(catalogues, list):
        problem = Problem(("catalogue",), f"expected a list, as [sscc], found {catalogues!r}")
        raise DefinitionError([document.located(problem)])
    for index, name in enumerate(catalogues):
        catalogue = folder.parent / "catalogue" / f"{name}.yml"
        if not catalogue.is_file():
            raise DefinitionError(
                [document.located(Problem(("catalogue", index), f"expected a catalogue {catalogue}, found none"))]
            )
        files.append(catalogue)
        document.merge(read(catalogue))
    topology = parse(Topology, document)
    hosts, known = read(folder / "hosts.yml"), inventory_hosts(folder / "hosts.yml")
    _hosts_agree(hosts, known, topology)
    access = load_access(folder, topology, hosts, known)
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    files += [folder / RECORDS] if (folder / RECORDS).is_file() else []  # kept with a run; an edit voids no approval
    return LoadedSite(folder, topology, digest.hexdigest(), tuple(files), access)


def inventory_hosts(path: Path) -> dict[str, tuple[tuple[str | int, ...], dict[str, Any]]]:
    """Every host of an Ansible inventory in YAML: name → (field path, its own variables with its groups')."""
    document = read(path)
    found: dict[str, tuple[tuple[str | int, ...], dict[str, Any]]] = {}
    _check_groups(document.data, (), document)
    _collect(document.data, (), {}, found)
    return found


def _check_groups(groups: dict[str, Any], path: FieldPath, document: Document) -> None:
    """Groups, their hosts, variables and children are mappings or nothing; DefinitionError names the line."""
    for name, group in groups.items():
        _need_mapping(group, (*path, name), document)
        for part in ("vars", "hosts", "children"):
            _need_mapping((group or {}).get(part), (*path, name, part), document)
        for host, own in ((group or {}).get("hosts") or {}).items():
            _need_mapping(own, (*path, name, "hosts", host), document)
        _check_groups((group or {}).get("children") or {}, (*path, name, "children"), document)


def _need_mapping(value: object, path: FieldPath, document: Document) -> None:
    if value is not None and not isinstance(value, dict):
        raise DefinitionError([document.located(Problem(path, f"expected a mapping of fields, found {value!r}"))])


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


def _hosts_agree(
    document: Document, known: dict[str, tuple[tuple[str | int, ...], dict[str, Any]]], topology: Topology
) -> None:
    """Each gateway host and CE router stands in hosts.yml with the address that topology.yml gives."""
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
