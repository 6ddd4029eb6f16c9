"""What `rehearse` and `run` share: run a plan against a twin, judge it, write its report, say what came out."""

import getpass
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console

from orchestrator.adapters.recording import read_observations
from orchestrator.adapters.versions import versions
from orchestrator.cli.live import progress
from orchestrator.engine import Assignment, Engine
from orchestrator.errors import Refused
from orchestrator.journal import SqliteJournal
from orchestrator.loader.site import LoadedSite
from orchestrator.model.drill import FaultManner
from orchestrator.model.people import PersonRole
from orchestrator.model.plan import Fault, FaultSource, Plan
from orchestrator.model.record import RunRecord
from orchestrator.model.verdict import Restoration
from orchestrator.report.assemble import assemble
from orchestrator.report.render import write
from orchestrator.report.terminal import summary
from orchestrator.twin import Twin, ensure_sealed
from orchestrator.wiring import Places, assignment, clock, new_run, world_on_twin

_DOWN_LEASE_S = 3600  # our choice: lines that are out of service stay so for the whole run


def conduct(places: Places, site: LoadedSite, plan: Plan, twin: Twin, as_json: bool) -> int:
    """Exit code of the run (design §6). The run id is printed first."""
    ensure_sealed()
    _same_site(site, twin)
    console = Console(stderr=as_json, soft_wrap=True, highlight=False)
    folder = new_run(places, plan, site.topology.site.timezone)
    console.print(f"run {folder.name}")
    journal = places.journal(site.topology.site.name)
    try:
        # A twin is no real number, certificate or line: its locks end with it, also where the run was killed.
        job = assignment(journal, site, plan, folder, getpass.getuser(), f"twin {twin.name} {twin.pid}")
        with out_of_service(plan, twin), progress(console, job.run, plan, site.topology) as listener:
            Engine(job, world_on_twin(places, site, job, twin), journal, clock(), [listener]).run()
        record = _record(places, job, journal, twin)
    finally:
        journal.close()
    _say(console, record, write(record, folder), folder, as_json)
    return record.verdict.exit_code


@contextmanager
def out_of_service(plan: Plan, twin: Twin) -> Iterator[None]:
    """Lines that were down before are down in the twin as long as the run lasts: it may be somebody else's twin."""
    if not plan.out_of_service:
        yield
        return
    down = Fault(manner=FaultManner.DARK, lines=plan.out_of_service)
    twin.inject(down, _DOWN_LEASE_S)
    try:
        yield
    finally:
        twin.lift(down)


def _same_site(site: LoadedSite, twin: Twin) -> None:
    if twin.site_digest != site.digest:
        raise Refused(
            "OTHER_SITE",
            f"expected a twin of {site.folder} as it is now, found {twin.name}, built from another inventory; "
            f"`drillctl twin down {twin.name}` and bring it up again",
        )


def _record(places: Places, job: Assignment, journal: SqliteJournal, twin: Twin) -> RunRecord:
    return assemble(
        job.run,
        job.plan,
        job.topology,
        journal.events(job.run),
        read_observations(job.folder / "samples.jsonl"),
        operator=getpass.getuser(),
        fault_source=FaultSource.TWIN,
        versions=versions(places.playbooks),
        ground_truth=twin.truth(),
    )


def _say(console: Console, record: RunRecord, paths: Mapping[str, Path], folder: Path, as_json: bool) -> None:
    console.print(summary(record))
    for language in ("zh", "en"):
        console.print(f"report {language}: {paths[language]}")
    if record.verdict.restoration is Restoration.NOT_PROVED:
        for person in record.topology.people.with_role(PersonRole.COMMANDER)[:1]:
            console.print(f"[bold red]not restored[/]: call the commander, {person.name.en}, {person.phone}")
    if as_json:
        fields = {"outcome", "restoration", "objectives", "integrity"}
        verdict = record.verdict.model_dump(mode="json", include=fields)
        said = {"run": record.run, "verdict": verdict, "report": str(paths["zh"]), "evidence": str(folder)}
        typer.echo(json.dumps(said, ensure_ascii=False))
