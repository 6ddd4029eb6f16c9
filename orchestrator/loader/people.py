"""`people.yml` of a site alone: whoever has to call somebody at night is not sent to mend another file first."""

from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from orchestrator.errors import DrillctlError
from orchestrator.loader.document import parse, read
from orchestrator.model.people import People
from orchestrator.model.topology import Site

FILE = "people.yml"


def load_people(folder: Path) -> People:
    """Read and check it. DefinitionError: file, line and field."""
    return parse(People, read(folder / FILE))


def zone_of(folder: Path) -> str:
    """The site's time zone, also while the rest of its topology is wrong; the product's default where it cannot be
    read at all.
    """
    default = str(Site.model_fields["timezone"].default)
    try:
        zone = str(read(folder / "topology.yml").data["site"].get("timezone", default))
        return ZoneInfo(zone).key
    except (DrillctlError, KeyError, AttributeError, ZoneInfoNotFoundError, ValueError):
        return default
