"""A gateway's log by the site's templates: events with the time that they carry, over rotation and encodings."""

import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FORM = {
    "line": "{time} {text}",
    "time_format": "%Y-%m-%d %H:%M:%S.%f",
    "connected": "connected to {endpoint}",
    "logged_in": "logon accepted by {endpoint}",
    "lost": "connection to {endpoint} lost: {*}",
    "logged_out": "logged out of {endpoint}",
    "refused": "logon refused by {endpoint}: {*}",
}
NOON = time.mktime((2026, 6, 15, 12, 0, 0, 0, 0, -1))


def read(onhost: ModuleType, text: str, *, now: float = NOON, **changes: str) -> Any:
    return onhost.LogForm({**FORM, **changes}).read(text, now)


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("connected to 127.0.0.1:7043", "connected"),
        ("logon accepted by 127.0.0.1:7043", "logged_in"),
        ("connection to 127.0.0.1:7043 lost: no heartbeat for 10 s", "lost"),
        ("logged out of 127.0.0.1:7043", "logged_out"),
        ("logon refused by 127.0.0.1:7043: 5003 duplicate", "refused"),
    ],
)
def test_each_event_is_read_with_its_own_time(onhost: ModuleType, text: str, event: str) -> None:
    assert read(onhost, f"2026-06-15 11:59:58.250000 {text}\r") == (event, pytest.approx(NOON - 1.75, abs=1e-5))


@pytest.mark.parametrize(
    "line",
    [
        "2026-06-15 11:59:58.250000 connected to nobody",
        "2026-06-15 11:59:58.250000 not connected to 127.0.0.1:7043",
        "2026-06-15 11:59:58.250000 connected to 127.0.0.1:7043 again",
        "2026-13-15 11:59:58.250000 connected to 127.0.0.1:7043",
        "connected to 127.0.0.1:7043",
        "",
    ],
)
def test_anything_else_is_no_event(onhost: ModuleType, line: str) -> None:
    assert read(onhost, line) is None


def test_level_thread_and_chinese_text_stand_around_the_event(onhost: ModuleType) -> None:
    line = "[15/Jun/26 12:00:00][INFO][T-7] 与127.0.0.1:7043的连接中断 (gw.c:10)"
    found = read(
        onhost,
        line,
        line="[{time}][{*}] {text} ({*})",
        time_format="%d/%b/%y %H:%M:%S",
        lost="与{endpoint}的连接中断",
    )
    assert found == ("lost", NOON)


@pytest.mark.parametrize(
    ("time_format", "text", "ago_s"),
    [
        ("%H:%M:%S", "11:59:00", 60),
        ("%H:%M:%S.%f", "00:30:00.5", 11.5 * 3600 - 0.5),
        ("%m-%d %H:%M:%S", "06-15 11:59:00", 60),
        ("%m-%d %H:%M:%S,%f", "06-14 12:00:00,5", 24 * 3600 - 0.5),
    ],
)
def test_a_date_that_the_log_leaves_out_is_the_latest_possible(
    onhost: ModuleType, time_format: str, text: str, ago_s: float
) -> None:
    line = f"{text} connected to 127.0.0.1:7043"
    found = read(onhost, line, time_format=time_format)
    assert found == ("connected", pytest.approx(NOON - ago_s))


def test_a_time_without_date_just_before_midnight_was_yesterday(onhost: ModuleType) -> None:
    midnight = NOON - 12 * 3600
    found = read(onhost, "23:59:59 connected to 127.0.0.1:7043", now=midnight + 1, time_format="%H:%M:%S")
    assert found == ("connected", midnight - 1)


def test_a_log_is_followed_over_rotation_truncation_and_half_lines(onhost: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"before\n")
    tail = onhost.LogTail(str(path), 0)
    assert tail.lines() == []
    with path.open("ab") as file:
        file.write(b"one\ntw")
    assert tail.lines() == ["one"]
    with path.open("ab") as file:
        file.write(b"o\nlast of the old file\n")
    path.rename(tmp_path / "log.1")
    path.write_bytes(b"first of the new file\n")
    assert tail.lines() == ["two", "last of the old file"]
    assert tail.lines() == ["first of the new file"]
    path.write_bytes(b"short\n")
    assert tail.lines() == ["short"]
    path.unlink()
    assert tail.lines() == []
    path.write_bytes(b"back\n")
    assert tail.lines() == ["back"]
    tail._file.close()  # noqa: SLF001 - the program keeps it until it ends


def test_a_log_that_appears_later_is_read_from_its_beginning(onhost: ModuleType, tmp_path: Path) -> None:
    tail = onhost.LogTail(str(tmp_path / "log"), 0)
    assert tail.lines() == []
    (tmp_path / "log").write_bytes("连接\n".encode("gbk"))
    assert tail.lines() == ["连接"]
    tail._file.close()  # noqa: SLF001 - as above
