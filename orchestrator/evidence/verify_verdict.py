"""The fifth look: the verdict is judged again, from the pack's own journal and samples."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orchestrator import __version__
from orchestrator.evidence.trust import Findings
from orchestrator.evidence.verify_content import RUN, Contents
from orchestrator.journal.chain import chain_is_valid
from orchestrator.judge import judge
from orchestrator.model.event import Event, LogStamp, RouteSample, Sample
from orchestrator.model.record import RunRecord
from orchestrator.model.verdict import Verdict
from orchestrator.ports import Observations

SAMPLES = "samples/samples.jsonl"


def look_at_verdict(folder: Path, contents: Contents, found: Findings) -> None:
    """Outcome, restoration and objectives must follow from what was recorded."""
    if contents.record is None or not contents.events:
        return
    try:
        record = RunRecord.model_validate_json((folder / RUN).read_bytes())
        events = [Event.model_validate(event) for event in contents.events]
        again = judge(record.plan, record.topology, events, _seen(folder / SAMPLES), chain_is_valid(events))
    except (ValidationError, ValueError, KeyError, TypeError, IndexError) as error:
        found.fault(RUN, f"expected a record that can be judged again, found: {_short(error)}")
        return
    said, judged = _sayings(record.verdict), _sayings(again)
    for name in (name for name in said if said[name] != judged.get(name)):
        _differs(name, said[name], judged.get(name), record.versions.get("drillctl"), found)


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def _sayings(verdict: Verdict) -> dict[str, Any]:
    states = {f"objective {item.id}": (item.state.value, item.measured) for item in verdict.objectives}
    return {"outcome": verdict.outcome.value, "restoration": verdict.restoration.value, **states}


def _differs(name: str, said: object, judged: object, version: str | None, found: Findings) -> None:
    """Another version may have judged by other rules: that is said, and is no fault."""
    text = f"expected the {name} that its journal and samples show ({judged}), found {said}"
    if version in (None, __version__):
        found.fault(RUN, text)
    else:
        found.note(f"{RUN}: judged by drillctl {version}, again by {__version__}: {text}")


def _seen(path: Path) -> Observations:
    """The samples as they were recorded; the form is that of `adapters/recording.py`."""
    heard = list(_lines(path))
    stamps = dict.fromkeys(LogStamp.model_validate(item["stamp"]) for item in heard if "stamp" in item)
    return Observations(
        [Sample.model_validate(item["sample"]) for item in heard if "sample" in item],
        [RouteSample.model_validate(item["route"]) for item in heard if "route" in item],
        list(stamps),
    )


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    """What a killed writer left half written is left out, as it was when the run was judged."""
    for line in path.read_bytes().split(b"\n") if path.is_file() else ():
        try:
            yield json.loads(line)
        except ValueError:
            continue
