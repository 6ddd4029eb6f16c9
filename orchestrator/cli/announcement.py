"""Options of a drill that an exchange leads: which announcement, and which of its phases."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.errors import DefinitionError
from orchestrator.loader.announcement import FILE, load_announced
from orchestrator.loader.drill import load_drill
from orchestrator.loader.site import LoadedSite
from orchestrator.model.announcement import Announced
from orchestrator.wiring.places import Places

AnnouncementFile = Annotated[
    Path | None,
    typer.Option(
        "--announcement", metavar="FILE", help=f"observe-only: the announced test; default: the site's {FILE}."
    ),
]
PhaseOption = Annotated[
    str | None, typer.Option("--phase", metavar="ID", help="observe-only: its phase of kind cut, where it has several.")
]


def announced_for(
    places: Places, site: LoadedSite, drill: str, file: Path | None, phase: str | None
) -> Announced | None:
    """What the drill observes; None: its fault is its own. DefinitionError: an announcement beside such a drill, or a
    wrong file.
    """
    if file is None and phase is None and not (places.drills / f"{drill}.yml").is_file():
        return None
    if not load_drill(places.drills, drill).fault.announced:
        if file or phase:
            option = "--announcement" if file else "--phase"
            raise DefinitionError(f"{option}: expected none beside {drill}, whose fault is its own; use observe-only")
        return None
    return load_announced(file or site.folder / FILE, site.topology, phase)
