"""Writes the runbook of a plan: what `drillctl plan DRILL --runbook` does. Reaches no host."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, get_args
from zoneinfo import ZoneInfo

import typer

from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.ssh import ssh_targets
from orchestrator.errors import DefinitionError
from orchestrator.loader.site import LoadedSite
from orchestrator.model.drill import Mode
from orchestrator.model.plan import Plan
from orchestrator.report.runbook_model import Login
from orchestrator.report.texts import Language

Runbook = Annotated[
    bool, typer.Option("--runbook", help="Write the plan as a printable runbook (HTML and PDF); prints the paths.")
]
To = Annotated[
    Path | None,
    typer.Option("--to", metavar="FOLDER", help="Where the runbook goes; without it, ./runbooks.", show_default=False),
]
RUNBOOKS = Path("runbooks")  # our choice: in the folder where the operator works, to be printed and carried


def write_runbook(site: LoadedSite, plan: Plan, to: Path | None, *, wanted: bool) -> dict[str, Path]:
    """Chinese and English, each as page and as PDF, in `to`; name → path. Nothing is written unless all can be made."""
    if not wanted:
        raise DefinitionError("--to: expected --runbook with it, found none; only a runbook is written to a folder")
    folder = _folder(to or RUNBOOKS)
    made = _made(site, plan)
    paths = {name: folder / f"runbook-{plan.id}.{name.replace(' ', '.')}" for name in made}
    try:
        for name, data in made.items():
            paths[name].write_bytes(data)
    except OSError as error:
        raise DefinitionError(f"--to {folder}: expected to write the runbook there, found: {error}") from error
    return paths


def _folder(folder: Path) -> Path:
    """There already, or made now: before a second of work is spent on what cannot be put anywhere."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DefinitionError(
            f"--to {folder}: expected a folder that can be written to, found: {error.strerror}"
        ) from error
    return folder


def _made(site: LoadedSite, plan: Plan) -> dict[str, bytes]:
    # A second that only runbooks may take.
    from orchestrator.report.pdf import html_to_pdf  # noqa: PLC0415
    from orchestrator.report.runbook import render  # noqa: PLC0415

    today = datetime.fromtimestamp(SystemClock().now(), ZoneInfo(site.topology.site.timezone)).date()
    bastions = site.access.bastions if site.access else ()
    jump = ",".join(f"{item.user}@{item.address}:{item.port}" for item in bastions)
    targets = ssh_targets(site.simulated() if plan.mode is Mode.REHEARSAL else site, site.access)
    logins = {name: Login(item.address, item.user, item.port, jump) for name, item in targets.items()}
    pages = {language: render(plan, site.topology, logins, today, language) for language in get_args(Language)}
    pdfs = {f"{language} pdf": html_to_pdf(page) for language, page in pages.items()}
    return {f"{language} html": page.encode() for language, page in pages.items()} | pdfs


def tell_runbook(plan: Plan, paths: dict[str, Path], *, as_json: bool) -> None:
    """Where it is, and of which plan."""
    if as_json:
        files = {name: str(path) for name, path in paths.items()}
        typer.echo(json.dumps({"plan": plan.id, "digest": plan.digest, "runbook": files}, indent=2))
        return
    typer.echo(f"plan {plan.id}, digest {plan.digest}")
    for name, path in paths.items():
        typer.echo(f"runbook {name}: {path}")
