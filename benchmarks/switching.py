"""How long it takes to move the gateways of N hosts, beside other ways of doing it. On a twin made for it.

`python -m benchmarks.switching [N …] [--ways WAY …] [--lost N] [--deadline S] [--json FILE]`. Every way moves the same
gateways in the same waves while the sampler of a run is at work, with the fronts' own record as its clock: from its
start to the last gateway logged in, and the outage of each gateway from log-out to log-in. After each, everything is
put back. Ways:

  stock           the usual tasks by Ansible as it comes
  tuned           the same with as many forks as hosts, pipelining, kept connections, no facts
  pyinfra         the same by pyinfra
  floor           a shell command with our proofs, one new ssh connection per host, all of a wave at once
  floor-armed     the same over connections that are open already
  program         our on-host program in the place of the shell command
  program-armed   the same over connections that are open already
  ours            an engine with journal, interlocks and sampler: cold from `switching`, armed from GO, in a rehearsal
                  the first intent of a wave; both over connections that arming has opened, so with arming, too

With one host frozen and one dark just before switching (`--lost N`: at this size), what the others lose by it: runs
with and without take turns, since this machine is faster in one minute than in another.
"""

import argparse
import json
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks import floor, others
from benchmarks.ground import LEASE_S, WAVE, Ground, Taken, end_all, said_inside, sampled, say, watch_over, write_hosts
from benchmarks.ours import Ours, ours
from benchmarks.table import Row, row, write
from orchestrator.loader.site import LoadedSite, load_site
from orchestrator.twin import Twin

SIZES = (10, 50, 100, 200)
LOST_AT, LOST_LIMIT = 50, 5.0  # hosts; % more that the others may take
LOST_ROUNDS = 3  # our choice: in each, both ways round, and as many runs without
# Of ours at a size: how many times its floor it may take, and what of a twin and of the engine.
_TIMES = {("ours, cold", 50): 2.0, ("ours, cold", 200): 2.5, ("ours, armed", 50): 2.0}
_OUTAGE_TIMES, _OUTAGE_MS = 1.5, 200.0
_UP_S, _DOWN_S, _ENGINE_MIB = {200: 10.0}, {200: 1.0}, {200: 300.0 * 1e6 / (1 << 20)}
DEADLINE_S = 360.0  # our choice: of a way that takes minutes
_SOURCE = "benchmarks.switching"
_FRONTS = f"{_SOURCE}, by the fronts' own record"

_WAYS: Mapping[str, Callable[[Ground, float], Taken]] = {
    "stock": others.stock,
    "tuned": others.tuned,
    "pyinfra": others.pyinfra,
    "floor": lambda ground, _: floor.floor(ground, armed=False),
    "floor-armed": lambda ground, _: floor.floor(ground, armed=True),
    "program": lambda ground, _: floor.program(ground, armed=False),
    "program-armed": lambda ground, _: floor.program(ground, armed=True),
}
WAYS = (*_WAYS, "ours")


@dataclass(frozen=True)
class Asked:
    """What is to be measured. `lost`: at which size two hosts are lost, too."""

    ways: Sequence[str]
    lost: int
    deadline_s: float


# -- outside the twin ---------------------------------------------------------------------------------


def main(sizes: Sequence[int], asked: Asked, file: Path | None) -> None:
    """A table per size on standard output; the rows of all of them in the file."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _told_to_end)
    rows: list[Row] = []
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="drillctl-ways-") as scratch:
            found = _measure(size, asked, Path(scratch))
        rows += found
        write(file, rows)
        print(f"{size} hosts, waves of at most {WAVE}")
        for item in found:
            print(item.line(f"{size} hosts: "), flush=True)


def _told_to_end(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def _measure(size: int, asked: Asked, scratch: Path) -> list[Row]:
    site = load_site(write_hosts(scratch, size))
    began = time.monotonic()
    twin = Twin.up(site, lease_s=LEASE_S)
    try:
        up_s = time.monotonic() - began
        say(f"{size} hosts, waves of at most {WAVE}; twin {twin.name} up in {up_s:.1f} s")
        found = _inside(twin, site, asked, scratch)
    finally:
        end_all(twin)
        began = time.monotonic()
        twin.down()
        down_s = time.monotonic() - began
    up = row(f"{size} hosts: twin up", up_s, "s", _SOURCE, _UP_S.get(size))
    down = row(f"{size} hosts: twin down", down_s, "s", _SOURCE, _DOWN_S.get(size))
    return [up, *found, down]


def _inside(twin: Twin, site: LoadedSite, asked: Asked, scratch: Path) -> list[Row]:
    """The measuring process stands where the controller of the twin does. It ends when its standard input does."""
    place = [twin.name, str(site.folder), str(scratch)]
    words = [sys.executable, "-m", "benchmarks.switching", "--inside", *place, json.dumps(asdict(asked))]
    said = said_inside(words)
    return [Row(**item) for item in json.loads(said.splitlines()[-1])]


# -- inside the twin ----------------------------------------------------------------------------------


def inside(name: str, folder: Path, scratch: Path, asked: Asked) -> None:
    """Every way that is asked for; the rows as JSON on standard output."""
    ground = Ground.enter(name, folder, scratch)
    watch_over(ground)
    ground.until_logged_in()
    table = Table(len(ground.moves))
    plain = [way for way in _WAYS if way in asked.ways]
    if plain:
        with sampled(ground) as prove:
            for way in plain:
                with floor.put_back(ground):
                    prove()
                    table.add(way, _WAYS[way](ground, asked.deadline_s))
                    prove()
    if "ours" in asked.ways:
        well = ours(ground)
        table.add_ours(ground, well)
        if len(ground.moves) == asked.lost:
            table.add_lost(ground, list(_in_turns(ground)))
    print(json.dumps([asdict(item) for item in table.rows()]))


def _in_turns(ground: Ground) -> Iterator["Turn"]:
    for number in range(LOST_ROUNDS):
        for lost in _lost(ground):
            ground.until_logged_in()
            before = ours(ground).cold(ground, lost)
            ground.until_logged_in()
            hurt = ours(ground, lost)
            turn = Turn(lost, before, hurt.cold(ground, lost))
            times = f"{turn.hurt.all_s:.2f} s instead of {turn.well.all_s:.2f} s"
            say(f"  {number + 1}: {lost[0]} frozen, {lost[1]} dark: {times}; the run: {hurt.end}")
            yield turn


@dataclass(frozen=True)
class Turn:
    """What the others took without and with (frozen, dark)."""

    lost: Sequence[str]
    well: Taken
    hurt: Taken


def _lost(ground: Ground) -> Sequence[Sequence[str]]:
    """(frozen, dark), both ways round. They are a pair, since the other of a pair that is out is held back. Its primary
    is of the first wave: what is waited for there, all waves behind it wait for.
    """
    first = ground.waves[0][0]
    pair = ground.site.topology.gateway[first.gateway].pair
    other = next(move for move in ground.moves if move.gateway == pair)
    return (first.host, other.host), (other.host, first.host)


def _more(well: Sequence[float], hurt: Sequence[float]) -> float:
    """In %, by the medians."""
    return 100 * (statistics.median(hurt) / statistics.median(well) - 1)


class Table:
    """Rows of one size. Each way is held against the floor that stands in the same table."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken: dict[str, Taken] = {}
        self._more: list[Row] = []

    def rows(self) -> list[Row]:
        """Every way's times with how many times its floor that is, then all else."""
        return [item for way in self._taken for item in self._rows_of(way)] + self._more

    def _rows_of(self, way: str) -> Iterator[Row]:
        item = self._taken[way]
        base = "floor-armed" if way.endswith("armed") else "floor"
        if item.missing:
            yield self._row(f"{way}: {item.missing} of {self._size} not moved in time", None, "s")
        else:
            yield self._row(f"{way}: last log-in", item.all_s, "s")
            if base in self._taken and way != base:
                limit = _TIMES.get((way, self._size))
                yield self._row(f"{way}: times {base}", item.all_s / self._taken[base].all_s, "×", limit=limit)
        yield self._row(f"{way}: outage per gateway, median", item.median_ms, "ms")
        if way == "ours, armed" and base in self._taken:
            times = item.median_ms / self._taken[base].median_ms
            yield self._row(f"{way}: outage, median, times {base}", times, "×", limit=_OUTAGE_TIMES)
        longest = _OUTAGE_MS if way.startswith("ours") else None
        yield self._row(f"{way}: outage per gateway, longest", item.longest_ms, "ms", limit=longest)

    def add(self, way: str, item: Taken) -> None:
        self._taken[way] = item
        if item.missing:
            say(f"  {way:14} {item.missing} of {self._size} not moved in time")
            return
        say(
            f"  {way:14} {item.all_s:8.2f} s   outage {item.median_ms:7.0f} ms median {item.longest_ms:8.0f} ms longest"
        )

    def add_ours(self, ground: Ground, well: Ours) -> None:
        """Cold and armed, the same with what arming took before, and the controller's memory."""
        cold = well.cold(ground)
        self.add("ours, cold", cold)
        self.add("ours, armed", well.armed(ground))
        self.add("ours, with arming", replace(cold, all_s=cold.all_s + well.arm_s))
        source = f"{_SOURCE}, PSS of /proc/PID/smaps_rollup"
        limit = _ENGINE_MIB.get(self._size)
        self._add("ours: peak memory of the engine", well.peaks.engine, "MiB", source, limit)
        for kind, mib in sorted(well.peaks.beside.items()):
            self._add(f"ours: peak memory of {kind} ({well.peaks.count[kind]} processes)", mib, "MiB", source)

    def add_lost(self, ground: Ground, turns: Sequence["Turn"]) -> None:
        """What those that are well lose by those that are lost: medians, since single runs differ by more than that."""
        first, others = ground.waves[0][0].host, f"the other {self._size - 2}"
        for lost in dict.fromkeys(tuple(turn.lost) for turn in turns):
            frozen, dark = ("wave 1" if host == first else "a later one" for host in lost)
            taken = statistics.median(turn.hurt.all_s for turn in turns if tuple(turn.lost) == lost)
            self._add(f"ours, a host of {frozen} frozen, of {dark} dark: {others}: last log-in", taken, "s")
        well, hurt = [turn.well for turn in turns], [turn.hurt for turn in turns]
        missing = sum(item.missing for item in hurt)
        if missing:
            self._add(f"ours, two hosts lost: {missing} of {others} not moved", None, "s")
        title = f"ours, two hosts lost ({len(turns)} runs each, in turns, medians): {others}"
        for what, more in (
            ("time", _more([item.all_s for item in well], [item.all_s for item in hurt])),
            ("outage", _more([item.median_ms for item in well], [item.median_ms for item in hurt])),
        ):
            self._add(f"{title}: more {what}", more, "%", limit=LOST_LIMIT)
        spread = _more([min(item.all_s for item in well)], [max(item.all_s for item in well)])
        self._add(f"ours, none lost, slowest of {len(turns)} runs: more time than the fastest", spread, "%")

    def _add(
        self, what: str, value: float | None, unit: str, source: str = _FRONTS, limit: float | None = None
    ) -> None:
        self._more.append(self._row(what, value, unit, source, limit))

    def _row(self, what: str, value: float | None, unit: str, source: str = _FRONTS, limit: float | None = None) -> Row:
        return row(f"{self._size} hosts: {what}", value, unit, source, limit)


# -- the command --------------------------------------------------------------------------------------


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.switching", allow_abbrev=False)
    parser.add_argument("sizes", metavar="N", type=int, nargs="*", default=list(SIZES), help="hosts, even numbers")
    parser.add_argument("--ways", metavar="WAY", nargs="+", choices=WAYS, default=list(WAYS), help=", ".join(WAYS))
    parser.add_argument("--lost", metavar="N", type=int, default=LOST_AT, help="at this size two hosts are lost, too")
    parser.add_argument("--deadline", metavar="S", type=float, default=DEADLINE_S, help="of a way that takes minutes")
    parser.add_argument("--json", metavar="FILE", type=Path, help="where the rows go")
    return parser.parse_args()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), Asked(**json.loads(sys.argv[5])))
    else:
        given = _arguments()
        main(given.sizes, Asked(given.ways, given.lost, given.deadline), given.json)
