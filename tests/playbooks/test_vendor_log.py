"""What a gateway's own log says of the log-in that it may still hold."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from playbooks.onhost.vendor_log import History, LogEvent, Reader, history

NOW = datetime(2025, 3, 1, 10, 0, 0).astimezone().timestamp()
FORMS = {
    "connected": "connected to main station {endpoint}",
    "logged_in": "logon accepted by {endpoint}",
    "lost": "connection to {endpoint} lost: {*}",
    "logged_out": "logged out of {endpoint}",
    "refused": "logon refused by {endpoint}: {*}",
}
A, B = "172.60.101.30:7043", "172.50.101.30:7043"


def events(form: dict[str, Any], encoding: str, now: float) -> list[LogEvent]:
    return Reader(form, encoding).events(now)


def spec(path: Path, **fields: str) -> dict[str, Any]:
    return {"path": str(path), "line": "{time} {text}", "time_format": "%Y-%m-%d %H:%M:%S.%f", **FORMS, **fields}


def written(path: Path, *lines: tuple[int, str]) -> dict[str, Any]:
    """A log with one line per (seconds before NOW, text)."""
    stamps = [datetime.fromtimestamp(NOW - ago).astimezone() for ago, _ in lines]
    text = "".join(f"{at:%Y-%m-%d %H:%M:%S.%f} {line}\n" for at, (_, line) in zip(stamps, lines, strict=True))
    path.write_text(text, encoding="utf-8")
    return spec(path)


CONNECTED_A, IN_A, LOST_A = (
    f"connected to main station {A}",
    f"logon accepted by {A}",
    f"connection to {A} lost: timeout",
)
CONNECTED_B, REFUSED_B, OUT_A = f"connected to main station {B}", f"logon refused by {B}: 19352", f"logged out of {A}"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((), History(None, None)),
        (((9, "心跳"),), History(None, None)),
        (((9, CONNECTED_A), (8, IN_A)), History(True, None)),
        (((9, CONNECTED_A),), History(True, None)),
        (((9, IN_A), (5, OUT_A)), History(False, None)),
        (((9, IN_A), (5, LOST_A)), History(False, NOW - 5)),
        (((9, IN_A), (5, LOST_A), (4, CONNECTED_B)), History(True, NOW - 5)),
        (((9, IN_A), (5, LOST_A), (4, CONNECTED_B), (3, REFUSED_B)), History(False, NOW - 5)),
        # it never wrote that A was lost: the refusal of B does not free A
        (((9, IN_A), (4, CONNECTED_B), (3, REFUSED_B)), History(True, None)),
        (((9, IN_A), (5, LOST_A), (4, CONNECTED_A), (3, IN_A), (2, OUT_A)), History(False, NOW - 5)),
    ],
)
def test_the_log_tells_what_may_still_be_held(
    tmp_path: Path, lines: tuple[tuple[int, str], ...], expected: History
) -> None:
    found = history(events(written(tmp_path / "log", *lines), "utf-8", NOW))
    assert found.open is expected.open
    assert found.lost_at == (None if expected.lost_at is None else pytest.approx(expected.lost_at))


def test_no_log_at_all_says_nothing(tmp_path: Path) -> None:
    assert history(events(spec(tmp_path / "none"), "utf-8", NOW)) == History(None, None)


def test_events_know_their_endpoint_and_place(tmp_path: Path) -> None:
    form = written(tmp_path / "log", (9, CONNECTED_A), (8, "中文"), (7, IN_A))
    first, second = events(form, "utf-8", NOW)
    assert (first.event, first.endpoint, first.offset) == ("connected", A, 0)
    assert (tmp_path / "log").read_bytes()[second.offset :].decode().endswith(IN_A + "\n")


def test_other_layouts_and_encodings_are_data(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(f"[10:00:01,250] [讀] 登录 {A} 成功 (1)\r\n".encode("gbk"))
    form = spec(path, line="[{time}] [{*}] {text}", time_format="%H:%M:%S,%f", logged_in="登录 {endpoint} 成功{*}")
    later = NOW + 60
    [event] = events(form, "gbk", later)
    assert (event.event, event.endpoint) == ("logged_in", A)
    assert event.at == pytest.approx(NOW + 1.25)


def test_a_stamp_is_never_in_the_future(tmp_path: Path) -> None:
    """A clock that was set back must not shorten a wait."""
    form = written(tmp_path / "log", (-100, LOST_A))
    assert history(events(form, "utf-8", NOW)).lost_at == NOW


def test_what_was_read_is_not_read_again_and_what_came_since_is(tmp_path: Path) -> None:
    form = written(tmp_path / "log", (9, CONNECTED_A), (8, IN_A))
    reader = Reader(form, "utf-8")
    before = reader.events(NOW)
    # the same length: only who reads it once more sees that another word stands there
    text = (tmp_path / "log").read_text(encoding="utf-8")
    (tmp_path / "log").write_text(text.replace(IN_A, "x" * len(IN_A)), encoding="utf-8")
    with (tmp_path / "log").open("a", encoding="utf-8") as log:
        log.write(f"2025-03-01 09:59:58.000000 {OUT_A}")  # its line is not at its end yet
    assert [item.event for item in reader.events(NOW)] == ["connected", "logged_in", "logged_out"]
    with (tmp_path / "log").open("a", encoding="utf-8") as log:
        log.write(f"\n2025-03-01 09:59:59.000000 {CONNECTED_B}\n")
    found = reader.events(NOW)
    assert [item.event for item in found] == ["connected", "logged_in", "logged_out", "connected"]
    assert found[:2] == before
    assert text.encode()[found[1].offset :].decode().endswith(IN_A + "\n")


@pytest.mark.parametrize("how", ["another", "shorter", "gone"])
def test_another_log_is_read_from_its_beginning(tmp_path: Path, how: str) -> None:
    form = written(tmp_path / "log", (9, CONNECTED_A), (8, IN_A))
    reader = Reader(form, "utf-8")
    assert len(reader.events(NOW)) == 2
    if how == "shorter":
        (tmp_path / "log").write_text(f"2025-03-01 09:59:58.000000 {OUT_A}\n", encoding="utf-8")
    else:
        (tmp_path / "log").rename(tmp_path / "log.1")
    if how == "another":
        written(tmp_path / "log", (7, "x" * 200), (2, OUT_A))
    assert [item.event for item in reader.events(NOW)] == ([] if how == "gone" else ["logged_out"])


def _local(*fields: int) -> float:
    """Seconds since the epoch of a time by this host's clock."""
    return datetime(*fields).timestamp()  # type: ignore[arg-type] # noqa: DTZ001 - as a log has it


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("%Y-%m-%d %H:%M:%S", "2024-02-29 09:08:07", _local(2024, 2, 29, 9, 8, 7)),
        ("%m-%d %H:%M:%S", "02-28 09:08:07", _local(2025, 2, 28, 9, 8, 7)),
        ("%Y%m%d-%H:%M:%S.%f", "20241231-23:59:59.123456789", _local(2024, 12, 31, 23, 59, 59, 123457)),
        ("%H:%M:%S", "9:08:07", _local(2025, 3, 1, 9, 8, 7)),
        ("%b %d %H:%M:%S %Y", "Feb 28 09:08:07 2025", _local(2025, 2, 28, 9, 8, 7)),
        ("%y-%m-%d %H:%M:%S", "24-02-29 09:08:07", _local(2024, 2, 29, 9, 8, 7)),
        ("%Y-%m-%d %H:%M:%S", "2025-02-29 09:08:07", None),
        ("%Y-%m-%d %H:%M:%S", "2025-02-28 24:08:07", None),
        ("%Y-%m-%d %H:%M:%S", "2025-02-28 09:60:07", None),
        ("%Y-%m-%d %H:%M:%S", "2025-13-01 09:08:07", None),
        ("%b %d %H:%M:%S %Y", "Foo 28 09:08:07 2025", None),
    ],
)
def test_stamps_in_numbers_and_in_words(tmp_path: Path, form: str, text: str, expected: float | None) -> None:
    (tmp_path / "log").write_text(f"{text} {OUT_A}\n", encoding="utf-8")
    found = events(spec(tmp_path / "log", time_format=form), "utf-8", NOW)
    assert [item.at for item in found] == ([] if expected is None else [pytest.approx(expected, abs=1e-5)])


def test_the_29th_of_february_of_a_log_without_years(tmp_path: Path) -> None:
    now = _local(2028, 2, 29, 10)
    (tmp_path / "log").write_text(f"02-29 09:08:07 {OUT_A}\n", encoding="utf-8")
    [event] = events(spec(tmp_path / "log", time_format="%m-%d %H:%M:%S"), "utf-8", now)
    assert event.at == _local(2028, 2, 29, 9, 8, 7)
