"""Options that several verbs share, and how their values are read."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from orchestrator.adapters.clock import SystemClock
from orchestrator.errors import DefinitionError
from orchestrator.model.announcement import Announced
from orchestrator.model.disaster import Disaster
from orchestrator.model.drill import Mode, Response
from orchestrator.model.plan import Plan
from orchestrator.wiring.places import Places

if TYPE_CHECKING:
    from orchestrator.loader.site import LoadedSite
    from orchestrator.planner import Request

Site = Annotated[
    Path, typer.Option("--site", help="The site: its folder, or its name under inventory/.", show_default=True)
]
DrillName = Annotated[str, typer.Argument(metavar="DRILL", help="A drill's id; `drillctl drills` lists them.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the drill, e.g. centre=futian.")
]
ResponseOption = Annotated[
    Response | None, typer.Option("--response", help="How the firm responds; default: the drill's own for the mode.")
]
Down = Annotated[
    list[str] | None, typer.Option("--down", metavar="LINE", help="A line that is out of service already.")
]
Wait = Annotated[
    bool, typer.Option("--wait", help="Wait for what another run has locked, at most an hour, instead of refusing.")
]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="A run's id; `drillctl status` lists them.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout; text for people goes to stderr.")]

DEFAULT_SITE = Path("inventory/example")


def moment_of(option: str, text: str, zone: ZoneInfo) -> float:
    """Seconds since the epoch of a time; without an offset it is the site's. DefinitionError where it is none."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise DefinitionError(f"{option}: expected a time as 2026-11-21T03:00, found {text!r}") from error
    return (at.replace(tzinfo=zone) if at.tzinfo is None else at).timestamp()


def disaster_of(occurred: str | None, declared: str | None, timezone: str) -> Disaster | None:
    """What D may be, as the operator says. DefinitionError: in the future, or declared before it occurred."""
    zone, now = ZoneInfo(timezone), SystemClock().now()
    told = {"--occurred": occurred, "--declared": declared}
    found = {option: moment_of(option, text, zone) for option, text in told.items() if text is not None}
    for option, at in found.items():
        if at > now:
            raise DefinitionError(f"{option}: expected a time that has passed, found {told[option]}")
    if len(found) == len(told) and found["--declared"] < found["--occurred"]:
        raise DefinitionError(f"--declared: expected no earlier time than --occurred {occurred}, found {declared}")
    if not found:
        return None
    return Disaster(occurred_at=found.get("--occurred"), declared_at=found.get("--declared"))


def settings_of(texts: list[str] | None) -> dict[str, str]:
    """`--set NAME=VALUE` as a dict. DefinitionError where the form is wrong or a name comes twice."""
    found: dict[str, str] = {}
    for text in texts or ():
        name, separator, value = text.partition("=")
        if not separator or not name or not value:
            raise DefinitionError(f"--set {text}: expected NAME=VALUE, found {text!r}")
        if name in found:
            raise DefinitionError(f"--set {text}: expected each parameter once, found {name} again")
        found[name] = value
    return found


def planned(  # noqa: PLR0913, PLR0917 - one option each
    places: Places,
    site: "LoadedSite",
    drill: str,
    mode: Mode,
    settings: list[str] | None,
    response: Response | None,
    down: list[str] | None,
    announced: Announced | None = None,
) -> Plan:
    """The plan that the command line asks for."""
    from orchestrator.loader.drill import load_drill  # noqa: PLC0415 - `status` makes no plan
    from orchestrator.planner import make_plan  # noqa: PLC0415

    request = asked_for(site, mode, settings, response, down, announced)
    return make_plan(site.topology, site.digest, load_drill(places.drills, drill), request)


def asked_for(
    site: "LoadedSite",
    mode: Mode,
    settings: list[str] | None,
    response: Response | None,
    down: list[str] | None,
    announced: Announced | None = None,
) -> "Request":
    """What the command line asks for, today in the site's time."""
    from orchestrator.planner import Request  # noqa: PLC0415 - `status` makes no plan

    today = datetime.fromtimestamp(SystemClock().now(), ZoneInfo(site.topology.site.timezone)).date()
    return Request(mode, today, settings_of(settings), response, tuple(down or ()), announced)
