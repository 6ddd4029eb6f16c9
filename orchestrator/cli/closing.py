"""What a run leaves behind: its lines on the ledger, its record, its reports and its sealed pack.

Everything that a report says and the journal does not hold is kept in the run's folder as soon as it is known, so
that the same run gives the same bytes whenever it is written again.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from rich.markup import escape

from orchestrator.adapters.recording import NAME, read_observations
from orchestrator.adapters.secrets import Mask, of_this_machine
from orchestrator.adapters.versions import versions
from orchestrator.cli.auditing import audited
from orchestrator.cli.delivery import deliver
from orchestrator.engine.log import Assignment
from orchestrator.errors import DrillctlError, Refused
from orchestrator.evidence import names, pack
from orchestrator.evidence.closing import closing_data, opening_data
from orchestrator.evidence.disk import replace
from orchestrator.evidence.findings import earlier, found
from orchestrator.evidence.ledger import Ledger
from orchestrator.evidence.ledger_head import SIGNATURE
from orchestrator.evidence.ledger_lines import Entry, parsed
from orchestrator.evidence.redact import run_key
from orchestrator.evidence.seal import Sealed, stamp_head, state
from orchestrator.history import epoch_s, operator_of
from orchestrator.loader.evidence import load_evidence
from orchestrator.loader.site import LoadedSite
from orchestrator.model.audit import AuditRecord
from orchestrator.model.event import Event
from orchestrator.model.evidence import EvidenceSettings, LedgerKind, LedgerLine, LedgerPlace
from orchestrator.model.plan import FaultSource
from orchestrator.model.record import RunRecord
from orchestrator.model.verdict import Integrity
from orchestrator.report.assemble import assemble
from orchestrator.report.render import write
from orchestrator.report.texts import Language
from orchestrator.wiring.places import Places
from orchestrator.wiring.seals import ledger_with, seals_of

VERSIONS, TRUTH, AUDIT = "versions.json", "truth.json", "audit.json"


@dataclass(frozen=True)
class Left:
    """What a run has left: `reports` by language, the folder of its evidence, and one line on the seal."""

    record: RunRecord
    reports: Mapping[str, Path]
    evidence: Path
    said: str
    sealed: bool = False

    @property
    def exit_code(self) -> int:
        """A closed run whose evidence cannot be sealed has not passed whole."""
        return self.record.verdict.exit_code or (0 if self.sealed else 1)


@dataclass(frozen=True)
class Keeping:
    """How the evidence of this site's runs is kept."""

    places: Places
    settings: EvidenceSettings
    seals: pack.Seals
    ledger: Ledger
    mask: Mask
    said: Callable[[str], None]
    site: LoadedSite  # with the firm's own folder
    on_site: bool = False

    @classmethod
    def of(
        cls,
        places: Places,
        site: LoadedSite,
        said: Callable[[str], None],
        home: Path | None = None,
        *,
        on_site: bool = False,
    ) -> "Keeping":
        """`home`: the site's own folder, where `evidence.yml` is; a run's copy of the inventory has none. `on_site`:
        the run is of the real site, which local keys do not sign for.
        """
        settings = load_evidence(home or site.folder)
        own = site if home is None else dataclasses.replace(site, folder=home)
        seals = seals_of(places, site, settings, simulated=not on_site)
        private = [] if seals.keys is None or seals.keys.key is None else [seals.keys.key]
        mask = of_this_machine(site, settings.secrets, private)
        return cls(places, settings, seals, ledger_with(places, seals, said), mask, said, own, on_site)

    def open(self, job: Assignment, events: Sequence[Event]) -> None:
        """The run stands on the ledger before its first act. One that is resumed stands there already."""
        opened = events[0]
        data = opening_data(
            job.run,
            job.plan,
            operator=operator_of(events),
            simulated=not self.on_site,
            started_at=epoch_s(opened),
        )
        line = self.ledger.append(LedgerKind.RUN_OPENED, data)
        _keep(job.folder / names.LEDGER, self.ledger.upto(line.seq))
        _keep(job.folder / VERSIONS, _as_json(versions(self.places.playbooks)))
        self._keep_audit(job.folder)
        _keep(job.folder / names.DEFINITION, (self.places.drills / f"{job.plan.drill}.yml").read_bytes())

    def _keep_audit(self, folder: Path) -> None:
        """What an audit finds on this day. One that cannot be made keeps no run from beginning, and is said."""
        try:
            found = audited(self.places, self.site)
        except DrillctlError as error:
            self.said(f"the report will have no audit: {escape(str(error))}")
            return
        kept = AuditRecord.of(found.today, found.findings)
        _keep(folder / AUDIT, kept.model_dump_json(indent=2).encode() + b"\n")

    def record(self, job: Assignment, events: Sequence[Event]) -> RunRecord:
        """Everything a report stands on, from the journal and the run's folder."""
        lines = opening_lines(job.folder)
        record = assemble(
            job.run,
            job.plan,
            job.topology,
            events,
            read_observations(job.folder / NAME),
            operator=operator_of(events),
            fault_source=FaultSource.DECLARED if self.on_site else FaultSource.TWIN,
            versions=_read(job.folder / VERSIONS) or {},
            ground_truth=_read(job.folder / TRUTH),
            ledger=LedgerPlace(seq=lines[-1].seq, digest=lines[-1].digest) if lines else None,
            audit=AuditRecord.model_validate(kept) if (kept := _read(job.folder / AUDIT)) else None,
        )
        findings = found(record, self.settings.finding_due_days)
        before = tuple(earlier(lines, job.plan.drill))
        return record.model_copy(update={"findings": findings, "earlier_findings": before})

    def leave(self, job: Assignment, events: Sequence[Event], *, closed: bool) -> Left:
        """What is there when the orchestrator leaves: of a closed run the sealed pack, else a report as far as it is.

        A closed run that cannot be sealed has its report too, and why it is not sealed.
        """
        record = self.record(job, events)
        if not closed:
            return Left(record, write(record, job.folder), job.folder, "not sealed: the run is not closed")
        try:
            return self.seal(job, events, record)
        except Exception as error:  # noqa: BLE001 - whatever it is, the run has its report, and it is said
            why = str(error) if isinstance(error, DrillctlError) else f"{type(error).__name__}: {error}"
            said = f"[bold red]not sealed[/]: {escape(why)}; then `drillctl evidence seal {job.run}`"
            return Left(record, write(record, job.folder), job.folder, said)

    def seal(self, job: Assignment, events: Sequence[Event], record: RunRecord) -> Left:
        """Make the pack of a closed run, and say so on the ledger. Refused: a secret was found, say."""
        if self.seals.keys is not None:
            record = as_sealed(record)
        self._end_on_ledger(record)
        hidden = pack.Filter(self.mask.text, {*self.mask.secrets, run_key(job.folder).hex()})
        home = job.folder / names.PACK
        if home.exists() and not self._is_sealed(job.run):  # killed between the pack and its line
            sealed = state(home)
        else:
            sealed = pack.build(job.folder, record, events, self.seals, hidden, self.said)
        self.ledger.append(LedgerKind.PACK_SEALED, sealing_data(job.run, sealed))
        self._stamp_head()
        self._send_head()
        reports = {language: home / names.REPORT / f"report.{language}.html" for language in get_args(Language)}
        return Left(record, reports, home, seal_in_words(sealed), sealed=True)

    def _is_sealed(self, run: str) -> bool:
        return any(line.kind is LedgerKind.PACK_SEALED and line.data["run"] == run for line in self.ledger.lines())

    def _stamp_head(self) -> None:
        """The ledger as it is now, by the authority's clock. One that is silent stamps the next head."""
        certificates = self.seals.authority
        if self.seals.stamper is None or certificates is None or not (self.places.ledger / SIGNATURE).is_file():
            return
        try:
            stamp_head(self.places.ledger, self.seals.stamper, certificates)
        except Refused as error:
            self.said(f"the ledger's head has no time stamp: {escape(str(error))}")

    def _send_head(self) -> None:
        """To every anchor of `evidence.yml`. What one does not take is laid out for something else to carry."""
        if self.settings.anchors:
            for sent in deliver(self.ledger, self.settings.anchors, offline=False)[1]:
                self.said(escape(f"ledger's head to {sent.anchor}: {sent.result}: {sent.detail}"))

    def _end_on_ledger(self, record: RunRecord) -> None:
        """How the run ended and what it found, once."""
        if any(line.kind is LedgerKind.RUN_CLOSED and line.data["run"] == record.run for line in self.ledger.lines()):
            return
        findings = [item.model_dump(mode="json") for item in record.findings]
        opened: list[Entry] = [(LedgerKind.FINDING_OPENED, {"finding": item}) for item in findings]
        self.ledger.append_all([(LedgerKind.RUN_CLOSED, closing_data(record)), *opened])


def as_sealed(record: RunRecord) -> RunRecord:
    """What stands in a signed pack says so; a journal that is broken stays broken."""
    if record.verdict.integrity is not Integrity.UNSEALED:
        return record
    return record.model_copy(update={"verdict": record.verdict.model_copy(update={"integrity": Integrity.SEALED})})


def seal_in_words(sealed: Sealed) -> str:
    """One line on what the seal is."""
    who = f"signed by {sealed.signer[:16]}…" if sealed.signer else "not signed"
    when = f", stamped {sealed.stamped_at}" if sealed.stamped_at else ""
    pending = f"; still to come: {', '.join(sealed.pending)} (`drillctl evidence stamp`)" if sealed.pending else ""
    return f"{who}{when}{pending}"


def sealing_data(run: str, sealed: Sealed) -> dict[str, Any]:
    """Data of `pack.sealed` and `pack.stamped`."""
    return {
        "run": run,
        "sums_sha256": sealed.sums_sha256,
        "evidence_sha256": sealed.evidence_sha256,
        "signer": sealed.signer,
        "stamped_at": sealed.stamped_at,
    }


def opening_lines(folder: Path) -> list[LedgerLine]:
    """The ledger up to the run's own opening, as it was then; a run from before there was a ledger has none."""
    path = folder / names.LEDGER
    return parsed(path.read_bytes()) if path.exists() else []


def keep_truth(folder: Path, truth: dict[str, Any] | None) -> None:
    """What the twin's fronts saw so far. None: the twin has ended, and what it said before stays."""
    if truth is not None:
        replace(folder / TRUTH, _as_json(truth))


def _keep(path: Path, data: bytes) -> None:
    """As it was when the run began, also after it was resumed."""
    if not path.exists():
        replace(path, data)


def _as_json(data: object) -> bytes:
    return json.dumps(data, sort_keys=True, ensure_ascii=False, indent=2).encode() + b"\n"


def _read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_bytes()) if path.exists() else None
