"""What may be told of the programs that were sent to hosts: who was asked what, when, and how it ended.

Of an answer only the known fields stay (`artefacts.RESULT_FIELDS`), masked. Nothing of what ssh printed is copied.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrator.evidence.artefacts import Play, Text, results_told, word_told
from orchestrator.guarding.files import OUTPUT

_ENDS = {"done": "successful", "stopped": "canceled", "deadline": "timeout"}
_SSH_FAILED = 255


def sends(steps: Path, hosts: frozenset[str], text: Text) -> Iterator[Play]:
    """Every call of a run that sent programs, by its name. `hosts`: whom a line may name; `text`: masks a text."""
    for file in sorted(steps.glob("*/hands.json")):
        yield _send(file, hosts, text)


def _send(file: Path, hosts: frozenset[str], text: Text) -> Play:
    lines = list(_lines(file.parent / OUTPUT))
    said = [_ENDS.get(str(line["status"]), "unknown") for line in lines if "status" in line]
    told = [line for line in lines if line.get("host") in hosts]
    return Play(
        call=file.parent.name,
        playbook=word_told(_read(file).get("what")),
        status=", ".join(said) or "never ended",
        events=tuple(_event(number, line, text) for number, line in enumerate(told, 1)),
    )


def _event(number: int, line: Mapping[str, Any], text: Text) -> dict[str, Any]:
    answer = line.get("answer")
    found = answer.get("results") if isinstance(answer, dict) else None
    results = [item for item in found if isinstance(item, dict)] if isinstance(found, list) else None
    good = results is not None and all(item.get("ok") for item in results)
    changed = any(item.get("changed") for item in results or ())
    silent = "timed out" if line.get("ended") == "deadline" else "unreachable"
    silent = silent if line.get("returncode") == _SSH_FAILED or line.get("ended") == "deadline" else "no answer"
    at, took_s = line.get("at"), line.get("took_s")
    return {
        "counter": number,
        "event": "answered",
        "result": silent if results is None else "ok" if good else "failed",
        "host": str(line["host"]),
        "action": "onhost",
        "changed": changed,
        "ended": datetime.fromtimestamp(at, UTC).isoformat() if isinstance(at, int | float) else "",
        **({"duration_s": float(took_s)} if isinstance(took_s, int | float) else {}),
        **results_told({"results": results}, text),
    }


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        return
    for text in path.read_text("utf-8", "replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:  # cut off where the call was ended
            continue
        if isinstance(line, dict):
            yield line


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
