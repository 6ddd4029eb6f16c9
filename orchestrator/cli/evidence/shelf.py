"""What `stamp` and `import` share: a run's sealed pack, who may stamp it, and the ledger that is told."""

import json
from dataclasses import dataclass
from pathlib import Path

import typer

from orchestrator.cli.closing import sealing_data
from orchestrator.errors import DefinitionError, Refused
from orchestrator.evidence.ledger import Ledger
from orchestrator.evidence.names import PACK
from orchestrator.evidence.pack import Seals
from orchestrator.evidence.seal import SUMS, Sealed
from orchestrator.loader.evidence import load_evidence
from orchestrator.loader.site import LoadedSite
from orchestrator.model.evidence import EvidenceSettings, LedgerKind
from orchestrator.wiring.places import Places
from orchestrator.wiring.seals import ledger_with, seals_of


@dataclass(frozen=True)
class Shelf:
    """The sealed packs of a site's reports."""

    places: Places
    site: LoadedSite
    settings: EvidenceSettings

    @classmethod
    def of(cls, places: Places, name: Path) -> "Shelf":
        site = places.site(name)
        return cls(places, site, load_evidence(site.folder))

    def pack(self, run: str) -> Path:
        """DefinitionError: the run has no sealed pack."""
        folder = self.places.reports / run / PACK
        if not (folder / SUMS).is_file():
            raise DefinitionError(f"expected the sealed pack of run {run}, found no {folder / SUMS}")
        return folder

    def seals(self, run: str) -> Seals:
        """Who signs and stamps that run: local keys a rehearsal, what `evidence.yml` names the rest."""
        record = json.loads((self.pack(run) / "run.json").read_bytes())
        return seals_of(self.places, self.site, self.settings, simulated=bool(record["simulated"]))

    def unstamped(self) -> list[str]:
        """Runs whose packs are signed and wait for a stamp, oldest first."""
        signed = sorted(self.places.reports.glob(f"*/{PACK}/{SUMS}.p7s"))
        return [path.parent.parent.name for path in signed if not path.with_name(f"{path.name}.tsr").exists()]

    def tell(self, run: str, sealed: Sealed) -> None:
        """Say on the ledger what the seal is now; what it says already is not said again."""
        ledger, data = self.ledger(run), sealing_data(run, sealed)
        kinds = (LedgerKind.PACK_SEALED, LedgerKind.PACK_STAMPED)
        told = [line.data for line in ledger.lines() if line.kind in kinds and line.data.get("run") == run]
        if not told:
            raise Refused("NOT_ON_LEDGER", f"expected run {run} to be sealed on the ledger, found no such line")
        if told[-1] != data:
            ledger.append(LedgerKind.PACK_STAMPED, data)

    def ledger(self, run: str) -> Ledger:
        return ledger_with(self.places, self.seals(run), lambda text: typer.echo(text, err=True))


def show(run: str, sealed: Sealed, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(sealing_data(run, sealed) | {"pending": list(sealed.pending)}))
        return
    pending = f"; still to come: {', '.join(sealed.pending)}" if sealed.pending else ""
    typer.echo(f"{run}: signer {sealed.signer or 'none'}, stamped at {sealed.stamped_at or 'never'}{pending}")
