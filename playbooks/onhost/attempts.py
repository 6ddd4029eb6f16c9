"""What became of each attempt of a step on this host: kept before it is told, so that it is known whoever asks.

Runs on gateway hosts and routers: Python 3.6 or later, standard library only. A request that changes something says
in `attempt_of` which attempt of which step it is. An orchestrator that takes a run over did not hear how the last
attempt ended, and asks: `past` reads what is kept in the run's work folder, and makes and changes nothing.
"""

import os
import re
import time
from typing import Any, Callable, Dict, List, Optional

import permit
import staged
from permit import Refusal

_POLL_S = 0.05  # our choice: how often a target at work is looked at
_STEP = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")  # a step's id becomes part of a file's name


def named(request: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    """The attempt that a request is, or asks about; None: it says none. Refusal if it says what is no attempt."""
    said = request.get("attempt_of")
    if said is None:
        return None
    found = {key: said.get(key) for key in ("run", "step", "attempt")}
    good = isinstance(found["step"], str) and _STEP.fullmatch(found["step"]) and isinstance(found["attempt"], int)
    if not good or found["run"] != request["run"]:
        raise Refusal(f"expected attempt_of to hold this run, a step and an attempt's number, found {said}")
    return found


def begin(request: Dict[str, Any], may: permit.Permit) -> None:
    """Make the target this request's own. An attempt that never ends still says that it began."""
    wanted = named(request)
    may.begin()
    if wanted:
        permit.write_json(_file(request), _record(request, [time.time(), time.monotonic()], None))


def conclude(request: Dict[str, Any], may: permit.Permit, result: Dict[str, Any]) -> None:
    """Keep the result, before anybody hears of it and before the next request may have the target.

    `recorded` in the result says whether that worked. A request that was refused before it began writes over
    nothing: the attempt itself may be at work, or over.
    """
    try:
        if request.get("attempt_of") is not None:
            result["recorded"] = True
            result["recorded"] = _keep(request, may.began, result)
    finally:
        may.end()


def _keep(request: Dict[str, Any], began: bool, result: Dict[str, Any]) -> bool:
    try:
        token = permit.read_token(staged.work_folder(request))
        before = _kept(request)
        if not token or token["run"] != request["run"] or (before and not began):
            return False
        permit.write_json(_file(request), _record(request, before["begun"] if before else None, result))
    except (Refusal, OSError):
        return False
    return True


def _record(request: Dict[str, Any], begun: Optional[List[float]], result: Optional[Dict[str, Any]]) -> Dict[str, Any]:
    return {"attempt_of": named(request), "begun": begun, "result": result}


def past(request: Dict[str, Any], names: List[str], lingers: Callable[[], bool]) -> Dict[str, Any]:
    """What is known of these targets' earlier requests; waits `wait_idle_s` for them to let go.

    busy: a request still holds a target, or `lingers` says that something of one that was cut off is at work.
    last: the result of the attempt asked about, or None. begun: when that attempt took its turn here, or None.
    Begun, not busy and no result: it was cut off.
    """
    until = time.monotonic() + float(request.get("wait_idle_s") or 0.0)
    asked = [{**request, "name": name} for name in names]
    while any(permit.is_held(item) for item in asked) or lingers():
        if time.monotonic() >= until:
            return {"busy": True, **_told(asked)}
        time.sleep(_POLL_S)
    return {"busy": False, **_told(asked)}


def _told(asked: List[Dict[str, Any]]) -> Dict[str, Any]:
    found: Dict[str, Any] = next(filter(None, map(_kept, asked)), {})
    return {"last": found.get("result"), "begun": found.get("begun")}


def _kept(request: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    """What is kept of exactly this attempt, or None."""
    wanted = named(request)
    found = permit.read_json(_file(request)) if wanted else None
    return found if found and found["attempt_of"] == wanted else None


def _file(request: Dict[str, Any]) -> str:
    said = request["attempt_of"]
    return os.path.join(staged.work_folder(request), f"result-{request['name']}.{said['step']}.{said['attempt']}.json")
