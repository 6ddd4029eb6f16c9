"""`access.yml` of a site → Access, held against its hosts. No key and no known host is read here."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.errors import DefinitionError, Problem
from orchestrator.loader.document import Document, FieldPath, parse, read
from orchestrator.model.access import Access
from orchestrator.model.topology import Topology

FILE = "access.yml"
# What hosts.yml may say of a connection. Anything else would go past access.yml: another way in, a password.
_ALLOWED = ("ansible_host", "ansible_port", "ansible_user", "ansible_python_interpreter")


Variables = Mapping[str, tuple[FieldPath, Mapping[str, Any]]]


def load_access(folder: Path, topology: Topology, hosts: Document, variables: Variables) -> Access | None:
    """None: the site has no such file, and is never reached. DefinitionError: file, line and field of every problem.

    `hosts` is hosts.yml; `variables`: per host of it where it stands, and its own variables with its groups'.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    document = read(path)
    access = parse(Access, document)
    names = {item.id for item in topology.hosts} | {item.id for item in topology.routers}
    problems = [
        document.located(Problem(("hosts", name), "expected a host or router of topology.yml, found no such"))
        for name in access.hosts.keys() - names
    ]
    problems += _beside(names, hosts, variables)
    if problems:
        raise DefinitionError(problems)
    return access


def resolved(access: Access, home: Path) -> Access:
    """With absolute paths. `home`: the site's own folder, also where a run goes by its copy of the inventory."""
    bastions = tuple(
        item.model_copy(update={"identity_file": _absolute(item.identity_file or access.identity_file, home)})
        for item in access.bastions
    )
    paths = {name: _absolute(getattr(access, name), home) for name in ("identity_file", "known_hosts")}
    return access.model_copy(update={**paths, "bastions": bastions})


def _absolute(path: str, home: Path) -> str:
    return str((home / Path(path).expanduser()).absolute())


def _beside(names: set[str], hosts: Document, variables: Variables) -> Iterator[Problem]:
    """Ansible would take these before anything that access.yml says."""
    for name in sorted(names & variables.keys()):
        field, known = variables[name]
        for variable in sorted(known):
            if variable.startswith("ansible_") and variable not in _ALLOWED:
                message = f"{name} has {variable}: expected no such variable beside {FILE}, found one; say it there"
                yield Problem((*field, variable), message, hosts.where((*field, variable)))
