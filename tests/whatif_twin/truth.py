"""What the twin's fronts saw, held against a prediction. Nothing here asks the product what happened."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.model.topology import Topology
from orchestrator.planner.situation import Fate
from tests.whatif_twin.cases import Predicted


@dataclass(frozen=True)
class Seen:
    """Where a number is logged in, or where multicast is heard. `since`: of the session. None: nowhere."""

    front: str | None
    line: str | None = None
    since: float | None = None
    by: str | None = None

    def __str__(self) -> str:
        return f"{self.front}/{self.line or '?'}" if self.front else "nowhere"


@dataclass(frozen=True)
class Row:
    """One gateway: predicted and seen. `wrong`: where they disagree, in words."""

    gateway: str
    fate: str
    predicted: str
    seen: str
    wrong: str = ""


def now(truth: Mapping[str, Any]) -> dict[str, Seen]:
    """By number, as the fronts have it at this moment; a receiver's own status tells what it hears."""
    by = {item["number"]: item.get("gateway") for item in truth["logins"] if item["accepted"]}
    found = {
        number: Seen(item["front"], item.get("line"), item["since"], by.get(number))
        for number, item in truth["current"].items()
    }
    return found | {number: Seen(item["source_front"]) for number, item in truth["receiving"].items()}


def during(truth: Mapping[str, Any], since: float, until: float) -> dict[str, Seen]:
    """By number, the last log-in that a front accepted while the fault lasted; without one the number is left out."""
    logins = sorted((item for item in truth["logins"] if item["accepted"]), key=lambda item: float(item["at"]))
    return {
        item["number"]: Seen(item["front"], item.get("line"), item["at"], item.get("gateway"))
        for item in logins
        if since <= item["at"] < until
    }


def rows(
    topology: Topology, predicted: Sequence[Predicted], before: Mapping[str, Seen], after: Mapping[str, Seen]
) -> Iterator[Row]:
    """While nothing is switched: before the fault and once everything has settled."""
    for item in predicted:
        was, seen = before.get(item.number, Seen(None)), after.get(item.number, Seen(None))
        if item.fate is Fate.UNTOUCHED:
            wrong = "" if (seen.front, seen.since) == (was.front, was.since) else "its session was touched"
            yield Row(item.gateway, item.fate, str(was), str(seen), wrong)
        else:
            yield Row(item.gateway, item.fate, _where(item), str(seen), _wrong(topology, item, seen))


def ended_during(truth: Mapping[str, Any], since: float, until: float) -> set[str]:
    """Numbers of which a front saw a session end while the fault lasted."""
    return {item["number"] for item in truth["logouts"] if since <= item["at"] < until}


def rows_of_run(
    topology: Topology, predicted: Sequence[Predicted], seen: Mapping[str, Seen], ended: Collection[str]
) -> Iterator[Row]:
    """Of a run that switched: log-ins and ends of sessions while the fault lasted. Whoever only receives has none."""
    for item in predicted:
        if topology.gateway[item.gateway].receives_only:
            continue
        found = seen.get(item.number)
        if item.fate is Fate.UNTOUCHED:
            wrong = "" if found is None else "it logged in anew"
            yield Row(item.gateway, item.fate, "no log-in", str(found or "no log-in"), wrong)
        elif found is None and item.front and item.number not in ended:  # a way was moved under a living session
            yield Row(item.gateway, item.fate, _where(item), "its session lived on")
        else:
            yield Row(
                item.gateway,
                item.fate,
                _where(item),
                str(found or "nowhere"),
                _wrong(topology, item, found or Seen(None)),
            )


def _where(item: Predicted) -> str:
    return f"{item.front}/{item.line}" if item.front else "nowhere"


def _wrong(topology: Topology, item: Predicted, seen: Seen) -> str:
    """A line is compared where the fronts know it."""
    if seen.front != item.front:
        return f"expected at {item.front or 'no front'}, seen at {seen.front or 'no front'}"
    if item.front is None:
        return ""
    if seen.line is not None and seen.line != item.line:
        return f"expected over {item.line}, seen over {seen.line}"
    if seen.by is not None and seen.by != item.by and not topology.gateway[item.gateway].receives_only:
        return f"expected {item.by} to hold it, seen {seen.by}"
    return ""
