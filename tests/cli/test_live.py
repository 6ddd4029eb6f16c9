"""The live view says what it shows: a run on a twin, or one on the real site."""

import io

import pytest
from rich.console import Console

from orchestrator.cli.live import LiveView, progress
from orchestrator.model.drill import Mode
from tests.report.record_example import plan_of, site

RUN = "20261122T020000-single-centre-failure-0000"


def drawn(mode: Mode, *, simulated: bool) -> str:
    """What a terminal of 80 columns would show."""
    out = io.StringIO()
    view = LiveView(RUN, plan_of("single-centre-failure", mode), site().topology, simulated=simulated)
    Console(file=out, force_terminal=True, width=80, height=24, color_system=None, soft_wrap=True).print(view)
    return out.getvalue()


@pytest.mark.parametrize(("mode", "said"), [(Mode.DRILL, " DRILL 实操演练 "), (Mode.INCIDENT, " INCIDENT 应急处置 ")])
def test_on_the_real_site_nothing_is_said_to_be_simulated(mode: Mode, said: str) -> None:
    text = drawn(mode, simulated=False)
    assert said in text
    assert "SIMULATED" not in text
    assert "SIMULATED" in drawn(mode, simulated=True)


def test_a_terminal_that_cannot_be_drawn_on_has_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    out, plan = io.StringIO(), plan_of("single-centre-failure", Mode.REHEARSAL)
    with progress(Console(file=out, force_terminal=True), RUN, plan, site().topology, simulated=True) as listener:
        listener.said("a word")
    assert out.getvalue() == "a word\n"
