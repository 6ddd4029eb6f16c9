"""The live view stays readable: a small site gateway by gateway, 500 gateways by class and centre, worst first."""

import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from orchestrator.cli.live import LiveView, progress
from orchestrator.cli.live_groups import LEAST, overview, shares
from orchestrator.cli.live_states import Condition, GatewayStates
from orchestrator.loader.calendar import load_calendar
from orchestrator.model.drill import Mode
from orchestrator.model.event import EventKind
from orchestrator.model.failback import FailsBack
from orchestrator.model.plan import Action, GatewayChange, Plan
from orchestrator.rules.outage import TradingHours
from tests.cli.large import BEGAN, GATEWAYS, Hands, Seeing, event, large
from tests.report.record_example import plan_of, site
from tests.support.sites import ROOT

RUN = "20261122T020000-single-centre-failure-0000"
SIZES = ((80, 24), (120, 40))
TITLES = {"failed", "unknown", "down", "switching"}
LONGEST = "文件摘要与预期不符：expected 3fa9, found another\nsomebody has edited \x1b[2J/opt/gw/gateway.ini " * 3


def drawn(view: LiveView, width: int = 120, height: int = 40, **options: object) -> list[str]:
    """What a terminal of that size would show."""
    out = io.StringIO()
    known: dict[str, object] = {"color_system": None, "soft_wrap": True, "highlight": False}
    console = Console(file=out, force_terminal=True, width=width, height=height, **(known | options))  # type: ignore[arg-type] # options as they come
    console.print(view)
    return out.getvalue().splitlines()


class Run:
    """A drill at 500 gateways that has lost futian 40 seconds ago, told step by step."""

    def __init__(self) -> None:
        self.topology, self.plan = large()
        self.clock = Hands(BEGAN + 100)
        self.seeing = Seeing(self.topology, self.plan)
        self.view = LiveView(RUN, self.plan, self.topology, clock=self.clock, simulated=True)
        self.hit = [item for item in self.plan.gateways if item.action is Action.REPOINT]
        self.seeing.see_all_well(BEGAN)
        self.view.measuring(self.seeing)
        self.draw()

    def draw(self, width: int = 120, height: int = 40) -> list[str]:
        return drawn(self.view, width, height)

    def lose(self, since: float = 60) -> None:
        """The fault is on, and what it hits is out, one by one within ten seconds; nothing else is."""
        self.view.event(event(EventKind.FAULT_ON, BEGAN + since))
        for index, item in enumerate(self.hit):
            self.seeing.see([item.gateway], BEGAN + since + index % 10)
        self.draw()

    def begin(self, step: str, items: Iterable[GatewayChange]) -> None:
        self.view.event(event(EventKind.INTENT, BEGAN + 70, step, targets=[item.gateway for item in items]))

    def end(self, step: str, items: Iterable[GatewayChange], outcome: str, message: str = "") -> None:
        found = [{"target": item.gateway, "outcome": outcome, "message": message} for item in items]
        self.view.event(event(EventKind.DONE, BEGAN + 80, step, results=found))

    def come_back(self, items: Iterable[GatewayChange]) -> None:
        for item in items:
            assert item.after is not None
            self.seeing.see([item.gateway], BEGAN + 90, item.after.front)

    def hide(self, items: Iterable[GatewayChange]) -> None:
        for item in items:
            del self.seeing.newest[item.gateway]


@pytest.fixture
def run() -> Run:
    """3 have failed, 4 are unknown, 5 are being switched, 10 are back, the other ones that are hit are down."""
    run = Run()
    run.lose()
    hit = run.hit
    run.begin("repoint-1", hit[:18])
    run.end("repoint-1", hit[:3], "failed", LONGEST)
    run.end("repoint-1", hit[3:13], "succeeded")
    run.come_back(hit[3:13])
    run.hide(hit[20:24])
    return run


def counts(lines: Sequence[str]) -> list[int]:
    """ALL, logged in, switching, down, unknown and failed of the whole site."""
    return _counts(next(line for line in lines if line.startswith("all gateways")))


def _counts(line: str) -> list[int]:
    cells = re.findall(r"(?<=\s)(?:\d+|-)(?=\s)", line)
    return [0 if cell == "-" else int(cell) for cell in cells[:6]]


def rows(lines: Sequence[str]) -> list[list[int]]:
    """The same of each group that is shown."""
    return [
        _counts(line) for line in lines if re.match(r"(trading|market-data|md|settlement|tdgw|mdgw)\S* +\w+ ", line)
    ]


def more(lines: Sequence[str], what: str) -> tuple[int, int]:
    """(how many groups or gateways are not shown, how many gateways that are)."""
    found = next((line for line in lines if re.match(rf"… and \d+ more {what}: ", line)), None)
    if found is None:
        return 0, 0
    number, _, told = found.partition(f" more {what}: ")
    return int(number.split()[-1]), sum(map(int, re.findall(r"\d+", told)))


def named(lines: Sequence[str]) -> list[list[str]]:
    """The worst gateways as they stand: state, name, and what follows."""
    return [line.split() for line in lines if line.split(" ")[0] in TITLES]


# 500 gateways ----------------------------------------------------------------------------------------


def test_the_example_of_these_tests_has_500_gateways_in_6_classes_and_3_centres() -> None:
    plan = large()[1]
    groups = Counter((item.gateway_class, item.before.centre) for item in plan.gateways if item.before)
    assert (len(plan.gateways), len(groups)) == (GATEWAYS, 18)
    assert {len({kind for kind, _ in groups}), len({centre for _, centre in groups})} == {6, 3}


def test_before_the_fault_all_are_logged_in_and_no_gateway_is_named() -> None:
    lines = Run().draw()
    assert counts(lines) == [500, 500, 0, 0, 0, 0]
    assert len(rows(lines)) == 18
    assert not named(lines)


@pytest.mark.parametrize("size", SIZES)
def test_the_total_is_that_of_every_state(run: Run, size: tuple[int, int]) -> None:
    of = len(run.hit)
    assert counts(run.draw(*size)) == [500, 500 - of + 10, 5, of - 3 - 10 - 5 - 4, 4, 3]


@pytest.mark.parametrize("size", SIZES)
def test_groups_that_are_shown_and_counted_are_all_there_are(run: Run, size: tuple[int, int]) -> None:
    lines = run.draw(*size)
    hidden, gateways = more(lines, "groups")
    assert len(rows(lines)) + hidden == 18
    assert sum(row[0] for row in rows(lines)) + gateways == 500
    assert all(row[0] == sum(row[1:]) for row in rows(lines))


@pytest.mark.parametrize("size", SIZES)
def test_gateways_that_are_named_and_counted_are_all_that_are_not_well(run: Run, size: tuple[int, int]) -> None:
    lines = run.draw(*size)
    hidden, told = more(lines, "gateways")
    assert hidden == told
    assert len(named(lines)) + hidden == len(run.hit) - 10


def test_the_worst_group_comes_first(run: Run) -> None:
    lines = run.draw()
    found = [row[:1:-1] for row in rows(lines)]  # failed, unknown, down, switching
    assert found == sorted(found, reverse=True)
    assert found[0][0] > 0
    assert found[-1] == [0, 0, 0, 0]


def test_failed_comes_before_unknown_before_down_before_switching(run: Run) -> None:
    run.come_back(run.hit[30:])
    states = [item[0] for item in named(run.draw(120, 60))]
    assert states == ["failed"] * 3 + ["unknown"] * 4 + ["down"] * 8 + ["switching"] * 5


def test_what_is_out_longest_comes_first_and_says_for_how_long(run: Run) -> None:
    run.come_back([item for item in run.hit[18:] if item.gateway != run.hit[39].gateway])
    run.seeing.see([run.hit[38].gateway], BEGAN + 68)  # down again
    down = [line for line in run.draw() if line.startswith("down ")]
    assert [line.split()[2] for line in down] == [run.hit[38].gateway, run.hit[39].gateway]
    assert ["32s" in down[0], "31s" in down[1]] == [True, True]


def test_a_failed_gateway_says_in_one_line_what_was_found_and_moves_no_cursor(run: Run) -> None:
    line = next(line for line in run.draw(200, 40) if line.startswith("failed"))
    assert run.hit[0].number in line
    assert "repoint-1: 文件摘要与预期不符：expected 3fa9" in line
    assert "\x1b" not in line


def test_an_unknown_gateway_says_since_when_nobody_has_seen_it(run: Run) -> None:
    lost = next(line for line in run.draw() if line.startswith("unknown"))
    assert "no sample any more" in lost
    assert " 40s " in lost  # its last look was at the fault


def test_a_step_whose_end_nobody_knows_leaves_its_gateway_unknown() -> None:
    run = Run()
    run.lose()
    run.end("repoint-1", run.hit[:2], "indeterminate", "cut off")
    why = "cut off, and nothing tells how far it came"
    run.view.event(event(EventKind.WAITING, BEGAN + 85, step="repoint-1", targets={run.hit[1].gateway: why}))
    lines = run.draw()
    assert counts(lines)[4] == 2
    asked = next(line for line in lines if line.startswith("unknown") and run.hit[1].gateway in line)
    assert "repoint-1: waits for a person: cut off" in asked


def test_a_gateway_that_the_fault_does_not_touch_is_named_when_it_goes_down() -> None:
    run = Run()
    other = next(item for item in run.plan.gateways if item.action is Action.NONE)
    run.seeing.see([other.gateway], BEGAN + 95, running=False)
    assert [item[0] for item in named(run.draw())] == ["down"]
    assert other.gateway in "\n".join(run.draw())


def test_a_session_with_a_front_that_is_dead_is_not_taken_for_logged_in() -> None:
    run = Run()
    run.view.event(event(EventKind.FAULT_ON, BEGAN + 60))
    lines = run.draw()
    assert counts(lines)[3] == len(run.hit)
    assert "stale session" in "\n".join(lines)


def test_once_all_are_back_no_gateway_is_named() -> None:
    run = Run()
    run.lose()
    run.come_back(run.hit)
    lines = run.draw()
    assert (counts(lines)[:2], named(lines)) == ([500, 500], [])


# No line too many, no column too many ----------------------------------------------------------------


@pytest.mark.parametrize("state", ["calm", "lost", "mixed"])
def test_no_screen_is_ever_too_small(run: Run, state: str) -> None:
    shown = {"calm": Run(), "lost": Run(), "mixed": run}[state]
    if state == "lost":
        shown.lose()
    for width, height in product((20, 40, 66, 79, 80, 109, 110, 120, 200), (1, 4, 5, 8, 13, 14, 20, 24, 30, 40, 80)):
        lines = shown.draw(width, height)
        assert 0 < len(lines) <= height, (width, height)
        assert max(map(cell_len, lines)) <= width, (width, height)


def test_the_overview_keeps_to_the_lines_that_it_is_given(run: Run) -> None:
    run.draw()
    seen = run.view.states.look(run.seeing.newest)
    for number, height in product((0, 1, 3, 10, 500), range(LEAST, 60)):
        some = [item for item in seen if item.is_bad][:number] + [item for item in seen if not item.is_bad]
        assert len(overview(some, run.view.states.why, BEGAN + 100, 80, height)) <= height


def test_a_taller_screen_names_more(run: Run) -> None:
    heights = (16, 24, 32, 40, 60)
    shown = [len(named(run.draw(80, height))) for height in heights]
    assert shown == sorted(set(shown))


def test_a_screen_of_80_by_24_has_groups_worst_gateways_and_the_newest_line(run: Run) -> None:
    run.view.event(event(EventKind.STATE, BEGAN + 95, state="switching"))
    lines = run.draw(80, 24)
    assert len(rows(lines)) >= 5
    assert len(named(lines)) >= 5
    assert lines[-1].endswith("== switching")
    assert "OUT FOR" in lines[4]
    assert lines[5].endswith(("?!", "x!", "?!!"))  # the bar ends with what is worst


def test_lines_that_no_longer_fit_are_counted_and_the_bad_ones_among_them(run: Run) -> None:
    for number in range(20):
        run.view.event(event(EventKind.STATE, BEGAN + 90, state=f"s{number}"))
    lines = run.draw(80, 24)
    found = next(line for line in lines if "earlier lines" in line)
    shown = len(lines) - lines.index(found) - 1
    assert found.startswith(f"… and {6 + 20 - shown} earlier lines, 3 of them bad; ")


# Without colours, without a terminal -----------------------------------------------------------------


def test_without_colours_the_same_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = run.draw(80, 24)
    monkeypatch.setenv("NO_COLOR", "1")
    lines = drawn(run.view, 80, 24, color_system="truecolor")
    assert not re.search(r"\x1b\[[0-9;]*(3[0-7]|4[0-7])", "\n".join(lines))
    assert [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines] == plain


@pytest.mark.parametrize("dumb", [False, True])
def test_without_a_terminal_that_can_be_drawn_on_there_are_plain_lines(
    dumb: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    topology, plan = large()
    monkeypatch.setenv("TERM", "dumb" if dumb else "xterm")
    out = io.StringIO()
    with progress(Console(file=out, force_terminal=dumb), RUN, plan, topology, simulated=True) as listener:
        listener.event(event(EventKind.STATE, BEGAN, state="switching"))
        listener.measuring(Seeing(topology, plan))
    assert re.fullmatch(r"\d\d:\d\d:\d\d == switching\n", out.getvalue())


def test_each_redraw_asks_the_sampler_once() -> None:
    run = Run()
    run.lose()
    asked = run.seeing.asked
    for _ in range(5):
        run.draw()
    assert run.seeing.asked == asked + 5


# The bar ---------------------------------------------------------------------------------------------


@given(st.dictionaries(st.sampled_from(Condition), st.integers(0, 600)), st.integers(6, 24))
def test_the_bar_is_full_and_hides_nothing(found: dict[Condition, int], cells: int) -> None:
    bar = shares(Counter(found), cells)
    there = {item for item, count in found.items() if count}
    assert set(bar) == there
    assert not there or sum(bar.values()) == cells
    assert all(size >= 1 for size in bar.values())


# What a plan wants to be off -------------------------------------------------------------------------


def small(
    drill: str = "single-centre-failure", mode: Mode = Mode.REHEARSAL, *, simulated: bool = True
) -> tuple[LiveView, Plan, Seeing, Hands]:
    """The example site before anything has happened, all well."""
    topology, plan, clock = site().topology, plan_of(drill, mode), Hands(BEGAN + 60)
    view = LiveView(RUN, plan, topology, clock=clock, simulated=simulated)
    seeing = Seeing(topology, plan)
    for change in plan.gateways:
        front = change.before.front if change.before else None
        seeing.see([change.gateway], BEGAN, front, running=front is not None)
    view.measuring(seeing)
    return view, plan, seeing, clock


def test_what_the_plan_keeps_off_is_no_outage() -> None:
    view, plan, seeing, clock = small("gateway-host-failure")
    cold = sum(change.before is None for change in plan.gateways)
    gone = [change for change in plan.gateways if change.action is Action.TAKEN_OVER]
    starts = [change for change in plan.gateways if change.action is Action.TAKE_OVER]
    assert gone
    assert ". OFF BY PLAN" in drawn(view, 120, 9)[2]
    view.event(event(EventKind.FAULT_ON, BEGAN + 60))
    for change in gone:
        del seeing.newest[change.gateway]
    clock.at = BEGAN + 100
    lines = drawn(view, 120, 9)
    row = next(line for line in lines if line.startswith("all gateways")).split()
    assert int(row[8]) == cold - len(starts) + len(gone)
    assert [item[0] for item in named(lines)] == ["down"] * len(starts)
    assert " 40s " in next(line for line in lines if line.startswith("down"))  # its number was up until the fault


def test_of_a_failback_what_is_not_home_yet_is_switching_and_what_rests_is_off_by_plan() -> None:
    topology, plan = site().topology, plan_of("gateway-host-failure", Mode.DRILL)
    back = FailsBack(run="r", plan_digest="0" * 64, gateways={}, routers={}, residue={}, left={})
    homeward = [
        change.model_copy(
            update={
                "action": {Action.TAKEN_OVER: Action.HOME, Action.TAKE_OVER: Action.GIVE_BACK}[change.action],
                "before": change.after,
                "after": change.before,
            }
        )
        for change in plan.affected
    ]
    plan = plan.model_copy(update={"fails_back": back, "gateways": tuple(homeward)})
    states, seeing = GatewayStates(plan, topology), Seeing(topology, plan)
    home, standby = homeward
    assert standby.before is not None
    seeing.see([home.gateway], BEGAN, running=False)
    seeing.see([standby.gateway], BEGAN, standby.before.front)
    assert [item.condition for item in states.look(seeing.latest())] == [Condition.BY_PLAN, Condition.LOGGED_IN]
    seeing.see([standby.gateway], BEGAN, running=False)
    states.follow(event(EventKind.INTENT, BEGAN, "unfence-1", targets=[home.gateway]))
    assert [item.condition for item in states.look(seeing.latest())] == [Condition.SWITCHING, Condition.BY_PLAN]
    moved = homeward[0].model_copy(update={"before": standby.before})
    states = GatewayStates(plan.model_copy(update={"gateways": (moved,)}), topology)
    seeing.see([home.gateway], BEGAN, "southern-trading")
    assert [item.condition for item in states.look(seeing.latest())] == [Condition.SWITCHING]
    assert moved.after is not None
    seeing.see([home.gateway], BEGAN, moved.after.front)
    assert [item.condition for item in states.look(seeing.latest())] == [Condition.LOGGED_IN]


# A small site ----------------------------------------------------------------------------------------

SMALL = """\
╭──────────────────────────────────────────────────────────────────────────────╮
│ Single-centre failure  单中心故障演练   SIMULATED 仿真预演                   │
│ centre=futian  response repoint   20261122T020000-single-centre-failure-0000 │
│ running  40.0 s   fault on for  40.0 s                                       │
╰──────────────────────────────────────────────────────────────────────────────╯
 prechecking › baselining › injecting › switching › verifying › holding › restor

GATEWAY     NUMBER   CLASS          STATE          FRONT          PLANNED
nq-trade-1  W100200  trading        stopped        -              southern-trad…
nq-trade-3  W100300  trading        connecting     -              southern-trad…
nq-md-1     W100210  market-data-…  not logged in  -              southern-mark…
nq-mc-1     W100220  market-data-…  no sample yet  -              southern-mult…
nq-ccnet-1  W100230  settlement     logged in      southern-set…  southern-sett…
10:01:00 == switching
10:01:00    fault is on
10:01:22    repoint-1: nq-trade-1 failed: expected one thing, found another
"""


def hit_small() -> LiveView:
    """One gateway in each state that a row can show, 40 seconds after the fault."""
    view, plan, seeing, clock = small()
    names = [change.gateway for change in plan.affected]
    view.event(event(EventKind.STATE, BEGAN + 60, state="switching"))
    view.event(event(EventKind.FAULT_ON, BEGAN + 60))
    seeing.see(names[:1], BEGAN + 62, running=False)
    seeing.see(names[1:2], BEGAN + 62, connecting="192.0.2.1:9000")
    seeing.see(names[2:3], BEGAN + 62)
    del seeing.newest[names[3]]
    after = plan.affected[4].after
    assert after is not None
    seeing.see(names[4:5], BEGAN + 62, after.front)
    bad = {"target": names[0], "outcome": "failed", "message": "expected one thing, found another"}
    view.event(event(EventKind.DONE, BEGAN + 82, "repoint-1", results=[bad]))
    clock.at = BEGAN + 100
    return view


def test_a_small_site_is_shown_gateway_by_gateway() -> None:
    assert [line.rstrip() for line in drawn(hit_small(), 80, 24)] == SMALL.splitlines()


def test_a_small_site_on_a_smaller_screen_keeps_its_gateways_and_its_newest_line() -> None:
    lines = drawn(hit_small(), 80, 15)
    assert [line.rstrip() for line in lines] == [*SMALL.splitlines()[:13], *SMALL.splitlines()[-2:]]
    assert any(line.startswith("all gateways") for line in drawn(hit_small(), 80, 13))


@pytest.mark.parametrize(("mode", "said"), [(Mode.DRILL, " DRILL 实操演练 "), (Mode.INCIDENT, " INCIDENT 应急处置 ")])
def test_on_the_real_site_nothing_is_said_to_be_simulated(mode: Mode, said: str) -> None:
    text = "\n".join(drawn(small(mode=mode, simulated=False)[0], 80, 24))
    assert said in text
    assert "SIMULATED" not in text
    assert "SIMULATED" in "\n".join(drawn(small(mode=mode)[0], 80, 24))


def test_what_nears_the_limit_is_said_first_where_there_are_groups() -> None:
    topology, plan = large()
    hours = TradingHours(load_calendar(ROOT / "inventory/example"), "Asia/Shanghai")
    run = Run()
    run.view = LiveView(RUN, plan.model_copy(update={"mode": Mode.DRILL}), topology, hours, run.clock, simulated=False)
    run.view.measuring(run.seeing)
    run.draw()
    run.seeing.see([item.gateway for item in run.hit if item.gateway_class == "tdgw"], BEGAN + 30)
    run.draw()
    run.lose()
    run.clock.at = BEGAN + 60 + 210
    lines = run.draw(80, 24)
    assert any(line.startswith(" 接近上报时限 NEAR THE LIMIT  tdgw out 4.0 of 5 min") for line in lines)
    assert "… and 5 more classes out in trading hours, none longer" in lines
