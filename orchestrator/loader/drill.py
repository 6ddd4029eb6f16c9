"""`drills/*.yml` → Drill."""

from pathlib import Path

from orchestrator.errors import DefinitionError
from orchestrator.loader.document import parse, read
from orchestrator.model.drill import Drill


def load_drill(folder: Path, name: str) -> Drill:
    """Read one definition by its id. DefinitionError lists the drills that exist."""
    path = folder / f"{name}.yml"
    if not path.is_file():
        known = ", ".join(sorted(item.stem for item in folder.glob("*.yml"))) or "none"
        raise DefinitionError(f"expected a drill ({known}), found {name!r}; `drillctl drills` lists them")
    drill = parse(Drill, read(path))
    if drill.drill != name:
        raise DefinitionError(f"{path}:1: drill: expected {name!r} as the file's name says, found {drill.drill!r}")
    return drill


def load_drills(folder: Path) -> list[Drill]:
    """Every definition in the folder, by id."""
    return [load_drill(folder, path.stem) for path in sorted(folder.glob("*.yml"))]
