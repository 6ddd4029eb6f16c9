"""What of Ansible's artefacts may be told: a list of fields that are allowed, each checked for its form.

ansible-runner writes whole events: arguments, output, differences of files, templated names of tasks. None of that is
copied. An event becomes who did what, where in our playbooks, when, and how it ended; only the results of our own
action are taken, field by field. The lines for reading are made from these, never from what Ansible printed.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Text = Callable[[str], str]

_OWN_ACTION = "onhost"
_EVENTS = {
    "runner_on_ok": "ok",
    "runner_on_failed": "failed",
    "runner_on_unreachable": "unreachable",
    "runner_on_skipped": "skipped",
    "runner_retry": "retried",
}
_PLAYBOOK_EVENTS = ("playbook_on_start", "playbook_on_play_start", "playbook_on_no_hosts_matched", "playbook_on_stats")
_WORD = re.compile(r"[a-z0-9_.]{1,64}")
_TIME = re.compile(r"[0-9T:.+-]{19,40}")
_PLACE = re.compile(r"[A-Za-z0-9_./-]{1,200}:[0-9]{1,6}")
_STATUS = re.compile(r"[a-z ]{1,20}")
# Of docs/reference/on-host.md, without `status` (a vendor's own fields) and `redacted` (a file of its own in the pack).
RESULT_FIELDS = frozenset(
    {
        *("op", "gateway", "host", "ok", "outcome", "changed", "touched", "message", "stamps", "clock", "python"),
        *("previous", "new", "diff", "sha256_before", "sha256_after", "endpoints", "config_sha256", "owner", "mode"),
        *(
            "acknowledged",
            "released_by",
            "released",
            "waited_s",
            "refusals",
            "rolled_back",
            "recorded",
            "busy",
            "begun",
        ),
        *("was_logged_in", "logged_in", "previous_session", "session", "connecting", "running", "residue"),
        *("busy", "begun", "blocked", "stands", "way", "table", "dropped_at_proof", "dropped"),
        *("routes", "networks", "via", "expected_via", "last"),
    }
)


@dataclass(frozen=True)
class Play:
    """One call's artefacts, as they may be told."""

    call: str
    playbook: str
    status: str
    events: tuple[dict[str, Any], ...]

    def as_json_lines(self) -> str:
        head = {"call": self.call, "playbook": self.playbook, "status": self.status}
        return "".join(_line(item) + "\n" for item in (head, *self.events))

    def as_text(self) -> str:
        """For reading: one line an event, then what our own action said."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.call}: {self.playbook} ({self.status})"
        for event in self.events:
            if "host" not in event:
                continue
            took = f"{event['duration_s']:.3f} s" if "duration_s" in event else ""
            parts = [event["ended"], event["host"], event["result"], event["action"], event.get("at", ""), took]
            changed = ["changed"] if event.get("changed") else []
            yield f"{event['counter']:5d}  " + "  ".join(str(part) for part in (*parts, *changed) if part)
            for item in event.get("results", ()):
                subject = item.get("gateway") or item.get("host") or ""
                said = [item.get("op"), subject, item.get("outcome"), item.get("message")]
                yield "         " + "  ".join(str(part) for part in said if part)


def _line(item: Mapping[str, Any]) -> str:
    return json.dumps(item, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def plays(steps: Path, hosts: frozenset[str], text: Text) -> Iterator[Play]:
    """Every play of a run, by its call's name. `hosts`: whom an event may name; `text`: masks a text."""
    for folder in sorted(item for item in steps.glob("*/ansible") if item.is_dir()):
        yield _play(folder, hosts, text)


def _play(folder: Path, hosts: frozenset[str], text: Text) -> Play:
    asked = _read(folder / "play.json")
    project = Path(str(asked.get("project", "")))
    artefacts = sorted(folder.glob("artifacts/*"))
    found = [event for item in artefacts for event in _events(item, project, hosts, text)]
    status = [_said(item / "status") for item in artefacts]
    playbook = str(asked.get("playbook", ""))
    return Play(
        call=folder.parent.name,
        playbook=word_told(playbook),
        status=", ".join(status) or "never begun",
        events=tuple(sorted(found, key=lambda event: int(event["counter"]))),
    )


def word_told(word: object) -> str:
    """A name of ours."""
    return word if isinstance(word, str) and _WORD.fullmatch(word) else "unknown"


def _said(path: Path) -> str:
    said = path.read_text("utf-8", "replace").strip() if path.is_file() else ""
    return said if _STATUS.fullmatch(said) else "unknown"


def _read(path: Path) -> dict[str, Any]:
    """What a JSON file holds; nothing where it was cut off, or is none."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _events(artefact: Path, project: Path, hosts: frozenset[str], text: Text) -> Iterator[dict[str, Any]]:
    for path in artefact.glob("job_events/*.json"):
        event = _read(path)
        told = allowed(event, project, hosts, text)
        if told is not None:
            yield told


def allowed(event: Mapping[str, Any], project: Path, hosts: frozenset[str], text: Text) -> dict[str, Any] | None:
    """What of one event may be told; None: an event that says nothing of a run."""
    kind, counter, data = event.get("event"), event.get("counter"), event.get("event_data")
    if not isinstance(counter, int) or not isinstance(data, dict):
        return None
    if kind in _PLAYBOOK_EVENTS:
        return {"counter": counter, "event": kind, **_form("at", event.get("created"), _TIME)}
    if kind not in _EVENTS:
        return None
    host, result = str(data.get("host")), data.get("res")
    result = result if isinstance(result, dict) else {}
    action = data.get("resolved_action") or data.get("task_action")
    return {
        "counter": counter,
        "event": kind,
        "result": _EVENTS[str(kind)],
        "host": host if host in hosts else "unknown",
        "action": action if isinstance(action, str) and _WORD.fullmatch(action) else "unknown",
        "changed": result.get("changed") is True,
        "ended": _form("", data.get("end"), _TIME).get("", ""),
        **_form("started", data.get("start"), _TIME),
        **_place(data, project),
        **_duration(data),
        **(results_told(result, text) if action == _OWN_ACTION else {}),
    }


def _form(name: str, value: object, form: re.Pattern[str]) -> dict[str, str]:
    return {name: value} if isinstance(value, str) and form.fullmatch(value) else {}


def _duration(data: Mapping[str, Any]) -> dict[str, float]:
    taken = data.get("duration")
    return {"duration_s": float(taken)} if isinstance(taken, int | float) else {}


def _place(data: Mapping[str, Any], project: Path) -> dict[str, str]:
    """The task's file below the playbooks' folder, and its line: a name is templated, a file's is not."""
    path, _, line = str(data.get("task_path", "")).rpartition(":")
    try:
        place = f"{Path(path).resolve().relative_to(project.resolve()).as_posix()}:{line}"
    except (ValueError, OSError):
        return {}
    return _form("at", place, _PLACE)


def results_told(result: Mapping[str, Any], text: Text) -> dict[str, Any]:
    """Those of our own action."""
    answers = result.get("results")
    return {"results": [_answer(item, text) for item in answers if isinstance(item, dict)]} if answers else {}


def _answer(answer: Mapping[str, Any], text: Text) -> dict[str, Any]:
    """One result of our own action; `last` is a result itself."""
    told = {name: _masked(value, text) for name, value in answer.items() if name in RESULT_FIELDS and name != "last"}
    last = answer.get("last")
    return told | ({"last": _answer(last, text)} if isinstance(last, dict) else {})


def _masked(value: Any, text: Text) -> Any:
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Mapping):
        return {str(name): _masked(item, text) for name, item in value.items()}
    if isinstance(value, Sequence):
        return [_masked(item, text) for item in value]
    return value
