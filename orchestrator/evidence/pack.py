"""Builds a run's pack: what it rests on, the reports made of that, the search for secrets, the seal.

It is built beside its place and moved there whole: a pack that stands in a run's folder is a finished one.
"""

import os
import shutil
import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from orchestrator.errors import Refused
from orchestrator.evidence.collect import collect
from orchestrator.evidence.disk import folder_to_disk
from orchestrator.evidence.keys import Keys
from orchestrator.evidence.names import DEFINITION, LEDGER, PACK, REPORT
from orchestrator.evidence.scan import require_clean
from orchestrator.evidence.seal import Sealed, evidence_manifest, put_certificates, seal
from orchestrator.model.event import Event
from orchestrator.model.record import RunRecord
from orchestrator.ports import Stamper
from orchestrator.report.render import render
from orchestrator.report.texts import Language

_DRAFT = ".pack"


@dataclass(frozen=True)
class Seals:
    """Who signs and who stamps. `tsa`: certificates of the authority, where it is not the keys' own internal one."""

    keys: Keys | None
    stamper: Stamper | None
    tsa: Path | None = None

    @property
    def authority(self) -> Path | None:
        """Certificates that a stamp must lead to."""
        return self.tsa or (self.keys.tsa.chain if self.keys and self.keys.tsa else None)


@dataclass(frozen=True)
class Filter:
    """What must stand nowhere: `text` takes it out of free texts, `secrets` are looked for in every byte."""

    text: Callable[[str], str] = str
    secrets: Collection[str] = ()


def make_ready() -> threading.Thread:
    """Load what reports are written with, two seconds of work, while a run goes its way. Join it before `build`.

    What fails here fails again in `build`, and is told there.
    """
    worker = threading.Thread(target=_load, name="reports", daemon=True)
    worker.start()
    return worker


def _load() -> None:
    with suppress(Exception):
        from orchestrator.evidence import pades  # noqa: F401, PLC0415 - loaded, that is all
        from orchestrator.report import feedback  # noqa: F401, PLC0415
        from orchestrator.report.pdf import make_ready  # noqa: PLC0415

        make_ready()


def build(
    folder: Path,
    record: RunRecord,
    events: Sequence[Event],
    seals: Seals,
    hidden: Filter,
    said: Callable[[str], None] = lambda _text: None,
) -> Sealed:
    """Make `pack/` in the run's folder; `said` is told what is being done. Refused: there is one, or a secret was
    found; then there is no new one.
    """
    target = folder / PACK
    if target.exists():
        raise Refused("SEALED", f"expected no pack of run {record.run} yet, found {target}; a seal is never made again")
    draft = folder / _DRAFT
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        _gather(draft, folder, record, events, seals, hidden)
        _reports(draft, record, evidence_manifest(draft), seals, said)
        said("looking for secrets, sealing")
        _in_copies(partial(require_clean, draft, hidden.secrets))
        sealed = seal(draft, seals.keys, seals.stamper)
        draft.rename(target)
        folder_to_disk(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return sealed


def _gather(
    draft: Path, folder: Path, record: RunRecord, events: Sequence[Event], seals: Seals, hidden: Filter
) -> None:
    """What the reports rest on."""
    collect(folder, draft, record, events, definition=folder / DEFINITION, text=hidden.text)
    (draft / "ledger").mkdir()
    (draft / "ledger" / LEDGER).write_bytes((folder / LEDGER).read_bytes())
    put_certificates(draft, seals.keys, seals.tsa)


def _reports(draft: Path, record: RunRecord, digest: str, seals: Seals, said: Callable[[str], None]) -> None:
    from orchestrator.report import feedback  # noqa: PLC0415 - as below
    from orchestrator.report.pdf import render_pdf  # noqa: PLC0415 - a second that only sealing may take

    folder, whole = draft / REPORT, (draft / "run.json").read_bytes()
    folder.mkdir()
    said("writing the reports")

    def write(language: Language) -> None:
        (folder / f"report.{language}.html").write_bytes(render(record, language, digest).encode())
        pdf = render_pdf(record, language, whole, digest)
        (folder / f"report.{language}.pdf").write_bytes(_signed(pdf, seals))

    _in_copies(partial(write, "zh"), partial(write, "en"))
    (folder / "feedback.xlsx").write_bytes(feedback.workbook(record))
    (folder / "feedback.csv").write_bytes(feedback.table(record))


def _in_copies(*parts: Callable[[], None]) -> None:
    """Each in a copy of this process: laying out pages takes seconds, and there are two cores; and like opening
    everything once more it takes hundreds of megabytes, which the orchestrator shall not keep. What a copy did not
    bring to its end is done here, and raises here. Threads do not survive a copy: then one by one.
    """
    copies = [_copy(part) if threading.active_count() == 1 else None for part in parts]
    ends = [copy is not None and os.waitpid(copy, 0)[1] == 0 for copy in copies]
    for part, done in zip(parts, ends, strict=True):
        if not done:
            part()


def _copy(part: Callable[[], None]) -> int | None:
    """Its process id; None: there is no room for one."""
    try:
        copy = os.fork()
    except OSError:
        return None
    if copy == 0:
        with suppress(BaseException):
            part()
            os._exit(0)
        os._exit(1)
    return copy


def _signed(pdf: bytes, seals: Seals) -> bytes:
    """Without a key here it stays unsigned: the pack's own signature, which comes later, covers it."""
    if seals.keys is None or seals.keys.key is None:
        return pdf
    from orchestrator.evidence.pades import sign_pdf  # noqa: PLC0415 - as above

    return sign_pdf(pdf, seals.keys, seals.stamper)
