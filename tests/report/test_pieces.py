"""The small decisions inside a report."""

from io import StringIO

import pytest
from rich.console import Console

from orchestrator.model.record import InterlockProof
from orchestrator.report.axis import Axis
from orchestrator.report.moments import Moments
from orchestrator.report.proofs import order_holds
from orchestrator.report.svg import fitted, text_width
from orchestrator.report.terminal import summary
from tests.report import record_example

MOMENTS = Moments("Asia/Shanghai", record_example.START, "not measured", "s")
PROOF = InterlockProof(
    gateway="nq-trade-1",
    number="W100200",
    certificate=None,
    host="gw-a1",
    step="repoint-1",
    stop_at=10.0,
    process_gone_at=10.2,
    sockets_gone_at=10.1,
    released_by="acknowledged",
    waited_s=0.0,
    start_at=10.3,
    login_at=11.0,
)


def test_times_are_the_sites_with_its_zone_and_milliseconds() -> None:
    assert MOMENTS.zone == "Asia/Shanghai UTC+08:00"
    assert MOMENTS.stamp(record_example.START) == "09:30:00.123"
    assert MOMENTS.full(record_example.START) == "2026-11-21 09:30:00"


def test_a_time_of_another_day_has_its_date() -> None:
    assert MOMENTS.stamp(record_example.START + 86400) == "11-22 09:30:00.123"


def test_a_missing_time_is_not_measured() -> None:
    assert MOMENTS.stamp(None) == MOMENTS.seconds(None) == "not measured"
    assert MOMENTS.seconds(0.0) == "0.000 s"


def test_a_stamped_duration_claims_no_sampling_error() -> None:
    assert MOMENTS.resolution(0.5, "gateway stamp") == "±0.500 s"
    assert MOMENTS.resolution(0.0, "gateway stamp") == "gateway stamp"


def test_the_order_holds_where_every_link_was_seen() -> None:
    assert order_holds(PROOF) is True


@pytest.mark.parametrize("field", ["process_gone_at", "sockets_gone_at", "released_by"])
def test_a_missing_link_is_not_proved(field: str) -> None:
    assert order_holds(PROOF.model_copy(update={field: None})) is None


@pytest.mark.parametrize(
    "update",
    [{"start_at": 10.15}, {"process_gone_at": 9.9}, {"login_at": 10.25}, {"start_at": 10.05, "process_gone_at": None}],
)
def test_a_start_before_the_old_login_was_gone_is_broken(update: dict[str, float | None]) -> None:
    assert order_holds(PROOF.model_copy(update=update)) is False


def test_a_text_is_cut_where_it_would_run_out_of_its_box() -> None:
    assert fitted("电信至福田专线", 200, 12) == "电信至福田专线"
    cut = fitted("电信至福田专线", 60, 12)
    assert cut.endswith("…")
    assert text_width(cut, 12) <= 60


@pytest.mark.parametrize("span", [0.4, 3, 41, 600, 86400, 30 * 86400])
def test_an_axis_has_some_ticks_and_not_too_many(span: float) -> None:
    axis = Axis(record_example.START, record_example.START + span, 100, 900)
    assert 1 <= len(axis.ticks()) <= 9
    assert all(100 <= axis.x(tick) <= 900 for tick in axis.ticks())


@pytest.mark.parametrize("variant", ["passed", "failed", "beijing", "not_started"])
def test_the_terminal_says_the_four_fields_and_every_affected_gateway(variant: str) -> None:
    record = getattr(record_example, variant)()
    console = Console(width=160, record=True, file=StringIO())
    console.print(summary(record))
    said = console.export_text()
    for label in ("Outcome", "Restoration", "Objectives", "Evidence integrity"):
        assert label in said
    assert [item.number for item in record.verdict.gateways if item.number not in said] == []
    assert ("SIMULATED" in said) is record.simulated
    assert "None" not in said
    assert not any("一" <= char <= "鿿" for char in said)
