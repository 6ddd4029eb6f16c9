"""The gateways' configurations of a pack: before, during and after, as redacted texts, with what changed."""

import difflib
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.errors import Refused
from orchestrator.model.record import ConfigRecord

WHENS = ("before", "during", "after")
_PAIRS = (("before", "during"), ("during", "after"), ("before", "after"))
NAME = "configurations"


def configurations(
    run_folder: Path, snapshots: Mapping[str, Mapping[str, Any]], lists: Mapping[str, ConfigRecord]
) -> dict[str, bytes]:
    """Pack file → content. `snapshots`: the journal's, by when; `lists`: of a run whose files were not captured.

    Refused EVIDENCE_CHANGED: a text is not the one of which the journal has the digest.
    """
    found: dict[str, bytes] = {}
    gateways = {name for data in snapshots.values() for name in data.get(NAME, {})} | lists.keys()
    for gateway in sorted(gateways):
        texts = {when: _text(run_folder, snapshots, gateway, when) for when in WHENS}
        told = {when: text for when, text in texts.items() if text is not None}
        for when, text in told.items():
            found[f"{NAME}/{gateway}/{when}.txt"] = text
        diff = list(_changes(gateway, told)) if told else _of_lists(lists[gateway])
        found[f"{NAME}/{gateway}/changes.diff"] = "".join(f"{line}\n" for line in diff).encode()
    return found


def _text(run_folder: Path, snapshots: Mapping[str, Mapping[str, Any]], gateway: str, when: str) -> bytes | None:
    """None: it was not captured then."""
    expected = snapshots.get(when, {}).get(NAME, {}).get(gateway)
    if expected is None:
        return None
    path = run_folder / NAME / gateway / f"{when}.txt"
    found = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(found).hexdigest() != expected:
        raise Refused(
            "EVIDENCE_CHANGED",
            f"{path}: expected the text with the digest {expected[:12]} that the journal has, found "
            f"{'another' if found else 'none'}; the pack is not made. Put it back as it was, then seal again",
        )
    return found


def _changes(gateway: str, texts: Mapping[str, bytes]) -> Iterator[str]:
    """Each time of looking against the one before, then before against after."""
    for old, new in _PAIRS:
        if old not in texts or new not in texts:
            continue
        lines = {when: texts[when].decode().splitlines() for when in (old, new)}
        names = (f"{gateway}/{old}.txt", f"{gateway}/{new}.txt")
        diff = list(difflib.unified_diff(lines[old], lines[new], *names, lineterm=""))
        yield from diff or [f"= {names[0]} and {names[1]} are the same"]


def _of_lists(record: ConfigRecord) -> list[str]:
    return [f"{record.gateway}: server list only, the file was not captured", *record.diff]
