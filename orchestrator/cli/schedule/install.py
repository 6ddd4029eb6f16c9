"""`drillctl schedule install`: what makes a machine look at the schedule every day by itself."""

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import DEFAULT_SITE, Json, Site
from orchestrator.errors import DefinitionError
from orchestrator.evidence.disk import replace
from orchestrator.wiring import Places

_AT = (7, 30)  # our choice: before anybody is at work, after the night's backups


def install(
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Write the units there; default: only print them.")
    ] = None,
    cron: Annotated[bool, typer.Option("--cron", help="A line for a crontab, for machines without systemd.")] = False,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Print what looks at the schedule once a day and records what was missed. Nothing is enabled by it."""
    places = Places()
    files = _cron(places, site) if cron else _units(places, site)
    if to is None:
        _print(files, as_json=as_json)
        return
    if not to.is_dir():
        raise DefinitionError(f"--to {to}: expected a folder, found none; make it, or name another")
    try:
        for name, text in files.items():
            replace(to / name, text.encode())
    except OSError as error:
        raise DefinitionError(f"--to {to}: expected a folder that can be written, found: {error.strerror}") from error
    written = [str(to / name) for name in files]
    typer.echo(json.dumps({"written": written}) if as_json else "\n".join(f"wrote {name}" for name in written))


def _print(files: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(files, indent=2))
        return
    typer.echo("\n".join(f"# {name}\n{text}" for name, text in files.items()), nl=False)


def _environment(places: Places, site: Site) -> list[str]:
    """Where reports and keys lie for whoever installs it: the unit's own working folder is another."""
    return [f"DRILLCTL_REPORTS={places.reports}", f"DRILLCTL_STATE={places.state(places.site_name(site))}"]


def _command(folder: Path) -> list[str]:
    """With this interpreter, by full paths: neither cron nor systemd has anybody's PATH."""
    return [sys.executable, "-m", "orchestrator", "schedule", "due", "--record", "--site", str(folder)]


def _units(places: Places, site: Site) -> dict[str, str]:
    # Exit 1 tells that something is overdue: it stands as failed in `systemctl --failed`, where people look.
    (hour, minute), folder, zone = _AT, places.site_folder(site), places.timezone(site)
    name = f"drillctl-schedule-{folder.name}"
    words = " ".join(_systemd_word(word) for word in _command(folder))
    environment = "\n".join(f"Environment={_systemd_word(item)}" for item in _environment(places, site))
    service = f"""\
[Unit]
Description=drillctl: what is due and what was missed at site {folder.name}

[Service]
Type=oneshot
WorkingDirectory={_systemd_path(places.root)}
{environment}
ExecStart={words}
TimeoutStartSec=300
"""
    timer = f"""\
[Unit]
Description=drillctl: look at the schedule of site {folder.name} every day

[Timer]
OnCalendar=*-*-* {hour:02}:{minute:02}:00 {zone}
Persistent=true
Unit={name}.service

[Install]
WantedBy=timers.target
"""
    return {f"{name}.service": service, f"{name}.timer": timer}


def _systemd_word(word: str) -> str:
    """systemd.service(5): quoted, with $ and % doubled."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$").replace("%", "%%")
    return f'"{text}"' if text != word or any(char.isspace() for char in word) else word


def _systemd_path(path: Path) -> str:
    return str(path).replace("%", "%%")


def _cron(places: Places, site: Site) -> dict[str, str]:
    """In the machine's own zone: cron has no other that it keeps everywhere. In a crontab % ends the command."""
    (hour, minute), folder = _AT, places.site_folder(site)
    words = ["cd", str(places.root), "&&", "env", *_environment(places, site), *_command(folder)]
    command = " ".join(word if word == "&&" else shlex.quote(word) for word in words).replace("%", r"\%")
    return {f"drillctl-schedule-{folder.name}.cron": f"{minute} {hour} * * * {command}\n"}
