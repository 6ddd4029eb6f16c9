"""Compares what a host says that is there now with what it was asked for. A success that differs is none. Pure."""

from collections.abc import Mapping
from typing import Any

_COMPARED = ("op", "endpoints", "restore_sha256", "via")


def compared(request: Mapping[str, Any]) -> dict[str, Any]:
    """What of a request its answer is compared with."""
    return {name: request[name] for name in _COMPARED if name in request}


def read_back(request: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """The answer; one that says that it succeeded and shows something else: failed, with what was expected."""
    wrong = _differs(request, answer) if answer.get("outcome") == "succeeded" else None
    if wrong is None:
        return dict(answer)
    return {**answer, "outcome": "failed", "ok": False, "message": f"expected {wrong[0]}, found {wrong[1]}"}


def _differs(request: Mapping[str, Any], answer: Mapping[str, Any]) -> tuple[object, object] | None:
    """What was expected and what is there, where they are not the same."""
    pairs: list[tuple[object, object]] = []
    match request["op"]:
        case "repoint" | "take_over":
            pairs = [(list(request["endpoints"]), answer.get("new"))] if "endpoints" in request else []
        case "restore" | "give_back":
            pairs = [(request["restore_sha256"], answer.get("sha256_after"))]
        case "restart" | "start":
            pairs = [("a log-in", "a log-in" if answer.get("logged_in", True) else "none"), *_untouched(answer)]
        case "stop":
            pairs = [*_untouched(answer)]
        case "path":
            pairs = [(request["via"], answer.get("new"))]
        case "block":
            pairs = [("blocked", "blocked" if answer.get("blocked") else "not blocked")]
        case "unblock":
            pairs = [("not blocked", "blocked" if answer.get("blocked") else "not blocked")]
        case "fence":
            pairs = [("released", "released" if answer.get("released") else "not released")]
        case _:  # it shows nothing that could differ
            pass
    return next((pair for pair in pairs if pair[0] != pair[1]), None)


def _untouched(answer: Mapping[str, Any]) -> list[tuple[object, object]]:
    return [(answer.get("sha256_before"), answer.get("sha256_after"))]
