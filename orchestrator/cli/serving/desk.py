"""Where a server works: the site that it serves, what it has said, and how it tells people."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import typer

from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.marks import Marks
from orchestrator.adapters.outbox import Outbox
from orchestrator.cli.options import Site
from orchestrator.cli.telling import outbox_of
from orchestrator.errors import DefinitionError
from orchestrator.loader.notify import load_notify
from orchestrator.loader.people import zone_of
from orchestrator.model.notify import Notice, NotifySettings
from orchestrator.wiring.places import Places

FOLDER = "serve"  # of the state folder


@dataclass(frozen=True)
class Desk:
    """One site's server. Files of the site are read anew at each use: an operator edits them while it serves."""

    places: Places
    site: Site
    as_json: bool = False  # what is said is kept for one document, and goes to stderr as well
    kept: list[dict[str, Any]] = field(default_factory=list)

    @cached_property
    def name(self) -> str:
        return self.places.site_name(self.site)

    @cached_property
    def site_folder(self) -> Path:
        return self.places.site_folder(self.site)

    @cached_property
    def zone(self) -> str:
        """As it was when the server began: a line is said also while people.yml is wrong."""
        return zone_of(self.site_folder)

    @cached_property
    def state(self) -> Path:
        """The site's own; what the server keeps is in its folder `serve`."""
        return self.places.state(self.name).absolute()

    @property
    def folder(self) -> Path:
        return self.state / FOLDER

    @property
    def marks(self) -> Marks:
        return Marks(self.folder / "said")

    @property
    def outbox(self) -> Outbox:
        return outbox_of(self.places, self.name)

    def settings(self) -> NotifySettings:
        return load_notify(self.site_folder)

    def say(self, text: str) -> None:
        """A line for whoever reads the log, with the site's time."""
        now = SystemClock().now()
        at = datetime.fromtimestamp(now, ZoneInfo(self.zone))
        lines = text.splitlines() or [""]
        typer.echo("\n".join(f"{at:%Y-%m-%d %H:%M:%S%z} {line}" for line in lines), err=self.as_json)
        if self.as_json:
            self.kept.append({"at": now, "text": text})

    def once(self, name: str, text: str, notice: Callable[[], Notice] | None = None) -> bool:
        """Say it, and lay its notice into the outbox, unless that was done before; whether it was done now.

        The mark comes last. After a kill in between the line may come twice in the log; the notice does not: the
        outbox takes an id once.
        """
        if self.marks.has(name):
            return False
        if notice is not None and self._anybody_is_told():
            self.outbox.put(notice())
        self.say(text)
        self.marks.put(name)
        return True

    def _anybody_is_told(self) -> bool:
        """With a notify.yml that is wrong just now the notice waits until it is right."""
        try:
            return bool(self.settings().channels)
        except DefinitionError:
            return True
