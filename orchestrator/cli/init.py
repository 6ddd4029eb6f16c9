"""`drillctl init`: a new site to fill in, made from the example."""

import shutil
from typing import Annotated

import typer

from orchestrator.errors import DefinitionError
from orchestrator.wiring.places import Places

# The example's windows and records are fictitious: in a real site one of the windows would open the gate, and the
# records would satisfy clauses that nobody has looked at.
FICTITIOUS = shutil.ignore_patterns("calendar.yml", "records.yml", "platform-export.*")


def init(name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the new site: inventory/NAME.")]) -> None:
    """Make inventory/NAME from the example, to be filled in with your own site."""
    inventory = Places().root / "inventory"
    folder = inventory / name
    if not name.replace("-", "").isalnum() or name.lower() != name:
        raise DefinitionError(f"init: expected a name of a-z, 0-9 and -, found {name!r}")
    if folder.exists():
        raise DefinitionError(f"init: expected no {folder} yet, found one; choose another name or edit that one")
    shutil.copytree(inventory / "example", folder, ignore=FICTITIOUS)
    topology = folder / "topology.yml"
    topology.write_text(
        topology.read_text(encoding="utf-8").replace("  name: example\n", f"  name: {name}\n", 1), encoding="utf-8"
    )
    typer.echo(
        f"made {folder}; edit topology.yml, profiles.yml, hosts.yml and people.yml, then "
        f"`drillctl audit --site {name}`. "
        "No host of it is contacted before access.yml.example has become access.yml"
    )
