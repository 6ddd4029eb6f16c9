"""`drillctl schedule install`: what makes a machine serve a site by itself (`drillctl serve`)."""

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import DEFAULT_SITE, Json, Site
from orchestrator.errors import DefinitionError
from orchestrator.evidence.disk import replace
from orchestrator.wiring.places import Places

_WATCHDOG_S = 300  # our choice: a round takes a second; one that hangs is ended, and begun again
_AGAIN_S = 10  # our choice: after which a server that has ended is begun again


def install(
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Write the units there; default: only print them.")
    ] = None,
    cron: Annotated[bool, typer.Option("--cron", help="A line for a crontab, for machines without systemd.")] = False,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Print what keeps `drillctl serve` at work, as a service or from a crontab. Nothing is enabled by it."""
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


def _command(folder: Path, *more: str) -> list[str]:
    """With this interpreter, by full paths: neither cron nor systemd has anybody's PATH."""
    return [sys.executable, "-m", "orchestrator", "serve", *more, "--site", str(folder)]


def _units(places: Places, site: Site) -> dict[str, str]:
    """Exit 2 and 3 tell of what only a person mends: a wrong site, another server at work.

    The twin of a rehearsal mounts, sets host names and writes below /proc/sys in namespaces of its own, so what takes
    that away from a service is not here. `KillMode=process`: a rehearsal that has begun outlives its server.
    """
    folder = places.site_folder(site)
    words = " ".join(_systemd_word(word) for word in _command(folder))
    environment = "\n".join(f"Environment={_systemd_word(item)}" for item in _environment(places, site))
    writable = " ".join(_systemd_word(f"-{path}") for path in (places.reports, places.state(places.site_name(site))))
    service = f"""\
[Unit]
Description=drillctl: schedule, notices, audits and unattended runs of site {folder.name}
After=network.target time-sync.target

[Service]
Type=notify
WorkingDirectory={_systemd_path(places.root)}
{environment}
ExecStart={words}
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec={_AGAIN_S}
RestartPreventExitStatus=2 3
WatchdogSec={_WATCHDOG_S}
TimeoutStopSec=10
KillMode=process
NoNewPrivileges=yes
ProtectSystem=full
ReadWritePaths={writable}
ProtectKernelModules=yes
ProtectKernelLogs=yes
LockPersonality=yes
RestrictRealtime=yes
SystemCallArchitectures=native

[Install]
WantedBy=multi-user.target
"""
    return {f"drillctl-serve-{folder.name}.service": service}


def _systemd_word(word: str) -> str:
    """systemd.service(5): quoted, with $ and % doubled."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$").replace("%", "%%")
    return f'"{text}"' if text != word or any(char.isspace() for char in word) else word


def _systemd_path(path: Path) -> str:
    return str(path).replace("%", "%%")


def _cron(places: Places, site: Site) -> dict[str, str]:
    """A round every minute; one that finds another at work ends by itself. In a crontab % ends the command."""
    folder = places.site_folder(site)
    words = ["cd", str(places.root), "&&", "env", *_environment(places, site), *_command(folder, "--once")]
    command = " ".join(word if word == "&&" else shlex.quote(word) for word in words).replace("%", r"\%")
    return {f"drillctl-serve-{folder.name}.cron": f"* * * * * {command}\n"}
