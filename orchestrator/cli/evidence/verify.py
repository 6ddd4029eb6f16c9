"""`drillctl evidence verify`: whether a pack, an exported pack or a whole archive is what was sealed."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import Json
from orchestrator.errors import DefinitionError
from orchestrator.evidence.trust import Findings, Trust, trust_of
from orchestrator.evidence.unpack import unpacked
from orchestrator.evidence.verify import look_at_pack
from orchestrator.evidence.verify_archive import LEDGER, look_at_archive

Signer = Annotated[
    list[str] | None,
    typer.Option("--signer", metavar="FINGERPRINT", help="sha256 of a certificate that may sign; may be repeated."),
]
AnchorOption = Annotated[
    str | None,
    typer.Option(
        "--anchor", metavar="HEAD", help="The ledger's head as it was kept elsewhere: LINES:DIGEST or a file."
    ),
]
TsaOption = Annotated[
    Path | None,
    typer.Option("--tsa", metavar="FILE", help="Certificates (PEM) of the time-stamping authority that counts."),
]


SignersOption = Annotated[
    Path | None,
    typer.Option("--allowed-signers", metavar="FILE", help="Keys of the people who may approve, as the firm has them."),
]


def verify(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A pack, an exported pack, a run or the reports folder.")
    ],
    signer: Signer = None,
    anchor: AnchorOption = None,
    tsa: TsaOption = None,
    allowed_signers: SignersOption = None,
    as_json: Json = False,
) -> None:
    """Verify a pack or a whole archive; exit 1 where it does not verify. Each failed check is one line."""
    if tsa is not None and not tsa.is_file():
        raise DefinitionError(f"--tsa {tsa}: expected a file of certificates (PEM), found none")
    if allowed_signers is not None and not allowed_signers.is_file():
        raise DefinitionError(f"--allowed-signers {allowed_signers}: expected a file of public keys, found none")
    found = _look(path, trust_of(signer, anchor, tsa, allowed_signers))
    _show(path, found, as_json=as_json)
    raise typer.Exit(1 if found.faults else 0)


def _look(path: Path, trust: Trust) -> Findings:
    if is_archive(path):
        return look_at_archive(path, trust)
    with unpacked(path) if path.is_file() else nullcontext(_pack(path)) as folder:
        return look_at_pack(folder, trust)[1]


def is_archive(path: Path) -> bool:
    """A folder of reports; a pack has a ledger too, and more."""
    return (path / LEDGER).is_file() and not any(
        (path / name).exists() for name in ("run.json", "journal", "SHA256SUMS")
    )


def _pack(path: Path) -> Path:
    """A run's folder holds its pack."""
    return path / "pack" if (path / "pack").is_dir() else path


def _show(path: Path, found: Findings, *, as_json: bool) -> None:
    if as_json:
        faults = [{"file": fault.file, "reason": fault.reason} for fault in found.faults]
        document = {"path": str(path), "verified": not faults, "faults": faults, "notes": found.notes}
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    for fault in found.faults:
        typer.echo(str(fault))
    for text in found.notes:
        typer.echo(f"  {text}")
    failed = len(found.faults)
    typer.echo(f"NOT VERIFIED: {failed} of the checks failed" if failed else f"verified: {path}")
