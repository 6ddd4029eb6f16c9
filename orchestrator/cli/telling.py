"""What a run tells people who are not at its terminal, by the site's `notify.yml`."""

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.markup import escape

from orchestrator.adapters.notify import Notices
from orchestrator.adapters.outbox import Outbox
from orchestrator.adapters.secrets import Mask
from orchestrator.engine.log import Assignment
from orchestrator.errors import DrillctlError
from orchestrator.loader.notify import load_notify
from orchestrator.model.event import Event
from orchestrator.report.notices import About
from orchestrator.wiring.places import Places

OUTBOX = "outbox"


def outbox_of(places: Places, site: str) -> Outbox:
    """In the site's state folder."""
    return Outbox(places.state(site) / OUTBOX)


def notices_of(
    places: Places,
    site: Path,
    job: Assignment,
    mask: Mask,
    said: Callable[[str], None],
    past: Sequence[Event] = (),
) -> Notices:
    """The listener that tells of this run. A notify.yml that is wrong is said, and keeps no run from going on."""
    about = About(job.run, job.plan, job.topology.site.timezone)
    outbox: Outbox | None = outbox_of(places, places.site_name(site))
    try:
        channels = load_notify(places.site_folder(site)).channels
    except DrillctlError as error:
        said(f"[bold red]nobody is notified[/]: {escape(str(error))}")
        channels = ()
    found = Notices(about, outbox if channels else None, mask, lambda text: said(escape(text)))
    found.catch_up(past)
    return found
