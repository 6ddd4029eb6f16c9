"""Notices from a run's events to real receivers on loopback: told once, signed, in order, and never in a run's way."""

import json
import os
import signal
import time
from email import message_from_bytes
from email.header import decode_header, make_header
from pathlib import Path

import pytest

from orchestrator.adapters.channels import signature
from orchestrator.adapters.notify import Delivered, Notices, deliver_outbox
from orchestrator.adapters.outbox import FAILED, SENT, Outbox
from orchestrator.adapters.secrets import NO_MASK, Mask
from orchestrator.errors import Refused
from orchestrator.model.drill import Mode
from orchestrator.model.event import Event, EventKind
from orchestrator.model.notify import Channel, Notice, NoticeKind, NotifySettings
from orchestrator.report.notices import About
from tests.adapters.webhooks import receiver
from tests.engine.test_engine import OnState, Stager, stage
from tests.evidence.receivers import silent, smtp
from tests.report import record_example
from tests.report.record_example import plan_of

__all__ = ["stage"]

PLAN = plan_of("single-centre-failure")
ABOUT = About("20261121T093000-single-centre-failure-0001", PLAN, "Asia/Shanghai")
KEY = "a key of more than sixteen characters"
NOW = float(int(time.time()))


def event(seq: int, kind: EventKind, data: dict[str, object] | None = None, step: str | None = None) -> Event:
    return Event(
        run=ABOUT.run,
        seq=seq,
        at=f"2026-11-21T01:30:{seq:02}.000000+00:00",
        kind=kind,
        step=step,
        attempt=1 if step else None,
        data=data or {},
        previous="",
        digest="",
    )


OPENED = event(1, EventKind.OPENED, {"owner": "li"})
STORY = (
    OPENED,
    event(2, EventKind.STATE, {"state": "injecting"}),
    event(3, EventKind.FAULT_ON, {}),
    event(4, EventKind.DONE, {"results": [{"outcome": "timed_out"}]}, "repoint-1"),
    event(5, EventKind.STATE, {"state": "verifying"}),
    event(6, EventKind.WAITING, {"step": "repoint-1", "targets": {"nq-trade-1": "10.1.2.3 cut off"}}),
    event(7, EventKind.NOTE, {"what": "aborted", "text": "abort asked for by li: the exchange asks"}),
)


def told(outbox: Outbox) -> list[Notice]:
    return [parcel.notice for parcel in outbox.waiting()]


def listener(folder: Path, mask: Mask = NO_MASK) -> tuple[Notices, Outbox, list[str]]:
    said: list[str] = []
    outbox = Outbox(folder / "outbox")
    return Notices(ABOUT, outbox, mask, said.append), outbox, said


# A run's side -----------------------------------------------------------------------------------------


def test_what_is_worth_telling_is_told_in_two_languages_and_nothing_else(tmp_path: Path) -> None:
    notices, outbox, said = listener(tmp_path)
    notices.catch_up(STORY)
    notices.concluded(record_example.passed())
    found = {item.kind: item for item in told(outbox)}
    assert list(found) == ["opened", "fault-on", "late", "switched", "waiting", "aborted", "closed"]
    assert found[NoticeKind.LATE].text.en.startswith("repoint wave 1 was not done within its deadline of ")
    assert "请联系" in found[NoticeKind.WAITING].text.zh
    assert "中止请求人" in found[NoticeKind.ABORTED].text.zh
    closed = found[NoticeKind.CLOSED]
    assert closed.title.zh == "【仿真预演】" + PLAN.title.zh + "：已结束"
    assert "Outcome: Passed; restoration: Proved; objectives: Met 4" in closed.text.en
    assert said == []


def test_no_host_address_number_or_phone_leaves_the_firm(tmp_path: Path) -> None:
    notices, outbox, _ = listener(tmp_path)
    notices.catch_up(STORY)
    texts = "".join(item.model_dump_json() for item in told(outbox))
    people = record_example.site().topology.people
    private = ["10.1.2.3", *(person.phone for person in people.people)]
    private += [gateway.number for gateway in record_example.site().topology.gateways]
    assert [item for item in private if item in texts] == []


def test_an_error_on_a_host_is_told_without_its_words(tmp_path: Path) -> None:
    notices, outbox, _ = listener(tmp_path)
    notices.event(event(9, EventKind.NOTE, {"what": "error", "text": "gw-a1: 198.18.1.5 refused"}))
    notices.event(event(10, EventKind.NOTE, {"what": "changed_meanwhile", "text": "the inventory changed"}))
    (notice,) = told(outbox)
    assert notice.text.en.startswith("It goes no further: an error, which the record of the run tells.")
    assert "198.18" not in notice.model_dump_json()


def test_restored_is_told_only_where_it_is_proved(tmp_path: Path) -> None:
    notices, outbox, _ = listener(tmp_path)
    notices.event(event(1, EventKind.STATE, {"state": "closing"}))
    assert told(outbox) == []


@pytest.mark.parametrize("has_failed", [False, True])
def test_a_run_to_its_end_tells_each_thing_once_and_restored_only_if_it_is(
    stage: Stager, tmp_path: Path, has_failed: bool
) -> None:
    play = stage()
    notices, outbox, _ = listener(tmp_path)
    play.listeners = (notices,)
    if has_failed:
        play.listeners = (OnState("switching", lambda: signal.raise_signal(signal.SIGTERM)), notices)
    play.play()
    kinds = [item.kind for item in told(outbox)]
    assert kinds == ["fault-on", "aborted" if has_failed else "switched", "restored"]


def test_another_orchestrator_tells_nothing_twice(tmp_path: Path) -> None:
    first, outbox, _ = listener(tmp_path)
    first.catch_up(STORY)
    before = [item.id for item in told(outbox)]
    deliver_outbox(outbox, settings_of(folder_channel(tmp_path)), lambda: NOW)
    second, outbox, _ = listener(tmp_path)
    second.catch_up(STORY)
    assert told(outbox) == []
    second.event(event(8, EventKind.STATE, {"state": "verifying"}))
    second.event(event(9, EventKind.WAITING, {"step": "repoint-1", "targets": {}}))
    assert [item.id for item in told(outbox)] == [f"{ABOUT.run}-waiting-9"]
    assert len(before) == len(list((tmp_path / "folder").iterdir())) == 6


def test_what_is_secret_is_masked_before_it_is_written(tmp_path: Path) -> None:
    notices, outbox, _ = listener(tmp_path, Mask(["hunter2-hunter2"]))
    text = "abort asked for by li: password is hunter2-hunter2"
    notices.event(event(2, EventKind.NOTE, {"what": "aborted", "text": text}))
    (path,) = outbox.folder.glob("*.json")
    assert "hunter2" not in path.read_text("utf-8")
    assert "[masked]" in path.read_text("utf-8")
    assert path.stat().st_mode & 0o777 & ~0o755 == 0
    assert outbox.folder.stat().st_mode & 0o077 == 0


def test_an_outbox_that_cannot_be_written_is_said_once_and_fails_no_run(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file where the folder should be")
    notices, _, said = listener(tmp_path)
    notices.catch_up(STORY)
    notices.concluded(record_example.passed())
    assert len(said) == 1
    assert said[0].startswith("nobody is notified any more: ")


# The sender's side ------------------------------------------------------------------------------------


def settings_of(*channels: Channel, attempts: int = 3, deadline_s: float = 5.0) -> NotifySettings:
    return NotifySettings(channels=channels, attempts=attempts, deadline_s=deadline_s)


def folder_channel(tmp_path: Path, **more: object) -> Channel:
    (tmp_path / "folder").mkdir(exist_ok=True)
    return Channel.model_validate({"id": "carried", "kind": "outbox-folder", "to": str(tmp_path / "folder"), **more})


def webhook(tmp_path: Path, url: str, key: str = KEY, **more: object) -> Channel:
    (tmp_path / "key").write_text(f"{key}\n")
    fields = {"id": "hook", "kind": "webhook", "url": url, "secret_file": str(tmp_path / "key")}
    return Channel.model_validate({**fields, **more})


def laid_out(tmp_path: Path) -> Outbox:
    notices, outbox, _ = listener(tmp_path)
    notices.catch_up(STORY)
    return outbox


def test_a_webhook_is_signed_so_that_its_receiver_can_tell(tmp_path: Path) -> None:
    outbox = laid_out(tmp_path)
    with receiver(key=KEY, now=NOW) as hook:
        found = deliver_outbox(outbox, settings_of(webhook(tmp_path, hook.url)), lambda: NOW)
    assert (len(found.sent), found.problems, hook.refused) == (6, {}, [])
    assert [item["kind"] for item in hook.taken] == ["opened", "fault-on", "late", "switched", "waiting", "aborted"]
    assert hook.seen[0]["x-drillctl-id"] == hook.taken[0]["id"]
    assert Notice.model_validate(hook.taken[0]).run == ABOUT.run
    assert (told(outbox), len(list((outbox.folder / SENT).iterdir()))) == ([], 6)


@pytest.mark.parametrize(
    ("key", "now", "refused"),
    [("another key, which is as long", NOW, "signature"), (KEY, NOW + 3600, "age")],
    ids=["another key", "an old message"],
)
def test_a_wrong_key_and_an_old_message_are_refused_by_the_receiver(
    tmp_path: Path, key: str, now: float, refused: str
) -> None:
    outbox = laid_out(tmp_path)
    with receiver(key=KEY, now=now) as hook:
        found = deliver_outbox(outbox, settings_of(webhook(tmp_path, hook.url, key)), lambda: NOW)
    assert (hook.refused, hook.taken, found.sent) == ([refused], [], [])
    assert list(found.problems.values()) == ["expected 2xx, found 401 Unauthorized"]


def test_the_signature_covers_the_time_and_every_byte() -> None:
    right = signature(KEY, "1", b"body")
    assert right == signature(KEY, "1", b"body")
    assert (
        len({right, signature(KEY, "2", b"body"), signature(KEY, "1", b"bodx"), signature(KEY[1:], "1", b"body")}) == 4
    )


def test_no_redirect_is_followed_and_no_proxy_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = laid_out(tmp_path)
    with receiver() as elsewhere, receiver(status=302, location=elsewhere.url) as hook:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{elsewhere.port}")
        found = deliver_outbox(outbox, settings_of(webhook(tmp_path, hook.url)), lambda: NOW)
        assert (len(hook.seen), elsewhere.seen) == (1, [])
    assert list(found.problems.values()) == ["expected 2xx, found 302 Found"]


def test_a_key_that_can_be_guessed_signs_nothing(tmp_path: Path) -> None:
    outbox = laid_out(tmp_path)
    with receiver() as hook:
        found = deliver_outbox(outbox, settings_of(webhook(tmp_path, hook.url, "short")), lambda: NOW)
        assert hook.seen == []
    (problem,) = found.problems.values()
    assert problem == f"expected at least 16 characters in {tmp_path}/key, found 5"


def test_a_receiver_that_hangs_costs_one_deadline_and_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    outbox, began = laid_out(tmp_path), time.monotonic()
    with silent() as port:
        channels = (webhook(tmp_path, f"http://127.0.0.1:{port}/"), folder_channel(tmp_path))
        found = deliver_outbox(outbox, settings_of(*channels, deadline_s=0.3), lambda: NOW)
    assert time.monotonic() - began < 3
    assert {key[1] for key in found.sent} == {"carried"}
    assert (len(found.sent), len(found.problems), found.waiting) == (6, 1, 6)


def test_a_failed_attempt_is_put_off_longer_each_time_and_then_given_up(tmp_path: Path) -> None:
    notices, outbox, _ = listener(tmp_path)
    notices.event(OPENED)
    with receiver(status=503) as hook:
        settings = settings_of(webhook(tmp_path, hook.url), attempts=3)
        tried, found = [], Delivered()
        for after_s in range(0, 200, 5):
            found = deliver_outbox(outbox, settings, lambda at=NOW + after_s: at)  # type: ignore[misc] # bound now
            if found.problems:
                tried.append(after_s)
            if found.given_up:
                break
        assert tried == [0, 30, 90]
        assert (found.given_up, told(outbox)) == ([f"{ABOUT.run}-opened"], [])
        assert (outbox.folder / FAILED / f"{ABOUT.run}-opened.json").exists()
        hook.status = 204
        assert outbox.again() == 1
        assert deliver_outbox(outbox, settings, lambda: NOW + 300).sent == [(f"{ABOUT.run}-opened", "hook")]
    assert outbox.given_up() == []


def test_whoever_has_had_it_does_not_get_it_again_while_others_wait(tmp_path: Path) -> None:
    notices, outbox, _ = listener(tmp_path)
    notices.event(OPENED)
    with receiver(status=503) as broken, receiver() as works:
        channels = webhook(tmp_path, broken.url), webhook(tmp_path, works.url, id="other")
        deliver_outbox(outbox, settings_of(*channels), lambda: NOW)
        broken.status = 200
        deliver_outbox(outbox, settings_of(*channels), lambda: NOW + 60)
        assert (len(works.taken), len(broken.taken)) == (1, 1)
    assert told(outbox) == []


def test_a_channel_gets_only_the_events_and_modes_that_it_wants(tmp_path: Path) -> None:
    outbox = laid_out(tmp_path)
    channels = (
        folder_channel(tmp_path, events=["waiting", "aborted"]),
        folder_channel(tmp_path, id="incidents", modes=["incident"]),
    )
    found = deliver_outbox(outbox, settings_of(*channels), lambda: NOW)
    assert found.sent == [(f"{ABOUT.run}-waiting-6", "carried"), (f"{ABOUT.run}-aborted-7", "carried")]
    assert told(outbox) == []


def test_mail_goes_out_in_both_languages(tmp_path: Path) -> None:
    notices, outbox, _ = listener(tmp_path)
    notices.event(OPENED)
    with smtp() as box:
        fields = {"to": "duty@firm.example", "server": f"127.0.0.1:{box.port}", "sender": "drills@firm.example"}
        channel = Channel.model_validate({"id": "mail", "kind": "mail", **fields})
        found = deliver_outbox(outbox, settings_of(channel), lambda: NOW)
        refused = replace_channel(channel, to="nobody@firm.example")
        again = Outbox(tmp_path / "second")
        again.put(notice())
        second = deliver_outbox(again, settings_of(refused), lambda: NOW)
    assert len(found.sent) == 1
    (raw,) = box.messages
    message = message_from_bytes(raw)
    assert str(make_header(decode_header(message["Subject"]))) == (
        f"【仿真预演】{PLAN.title.zh}：已开始 / [rehearsal] {PLAN.title.en}: begun"
    )
    assert "已开始，操作员 li。" in message.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert message["Message-ID"] == f"<{ABOUT.run}-opened@firm.example>"
    assert "no such user" in second.problems["n1", "mail"]


def replace_channel(channel: Channel, **changes: str) -> Channel:
    return channel.model_copy(update=changes)


def notice(name: str = "n1", at: float = NOW) -> Notice:
    title = {"zh": "标题", "en": "title"}
    fields = {"id": name, "kind": "opened", "site": "s", "run": "r", "drill": "d", "mode": Mode.DRILL, "at": at}
    return Notice.model_validate({**fields, "title": title, "text": title})


def test_apprise_reaches_a_service_and_never_says_its_address(tmp_path: Path) -> None:
    """Its generic JSON service on loopback stands for WeCom, DingTalk and Feishu, which are on the Internet."""
    outbox = Outbox(tmp_path / "outbox")
    outbox.put(notice())
    with receiver() as service:
        (tmp_path / "address").write_text(f"json://127.0.0.1:{service.port}/token-0123456789?secret=abcdefgh\n")
        channel = Channel.model_validate({"id": "group", "kind": "apprise", "url_file": str(tmp_path / "address")})
        found = deliver_outbox(outbox, settings_of(channel), lambda: NOW)
        assert (found.sent, found.problems) == ([("n1", "group")], {})
        assert service.taken[0]["title"] == "标题 / title"
        service.status = 302
        service.location = service.url
        outbox.put(notice("n2"))
        found = deliver_outbox(outbox, settings_of(channel), lambda: NOW)
        assert len(service.seen) == 2
    (problem,) = found.problems.values()
    assert "has not taken it" in problem
    assert [part for part in ("token-0123456789", "abcdefgh", str(tmp_path / "token")) if part in problem] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "expected an address that Apprise knows"),
        ("json://a\njson://b", "expected one line"),
        ("", "expected one line"),
    ],
)
def test_an_address_that_is_none_is_said_without_it(tmp_path: Path, text: str, said: str) -> None:
    outbox = Outbox(tmp_path / "outbox")
    outbox.put(notice())
    (tmp_path / "address").write_text(text)
    channel = Channel.model_validate({"id": "group", "kind": "apprise", "url_file": str(tmp_path / "address")})
    (problem,) = deliver_outbox(outbox, settings_of(channel), lambda: NOW).problems.values()
    assert problem.startswith(said)


def test_a_folder_that_is_not_mounted_is_waited_for(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")
    outbox.put(notice())
    channel = folder_channel(tmp_path)
    (tmp_path / "folder").rmdir()
    found = deliver_outbox(outbox, settings_of(channel), lambda: NOW)
    assert "is the disk mounted?" in found.problems["n1", "carried"]
    (tmp_path / "folder").mkdir()
    assert deliver_outbox(outbox, settings_of(channel), lambda: NOW + 31).sent == [("n1", "carried")]
    assert json.loads((tmp_path / "folder/n1.json").read_text("utf-8"))["text"]["zh"] == "标题"


def test_a_file_that_is_no_notice_is_set_aside(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")
    outbox.put(notice())
    (outbox.folder / "zzz.json").write_text("{}")
    found = deliver_outbox(outbox, settings_of(folder_channel(tmp_path)), lambda: NOW)
    assert (found.sent, outbox.given_up()) == ([("n1", "carried")], ["zzz"])


def test_two_senders_do_not_work_at_once(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")
    outbox.put(notice())
    with outbox.alone(), pytest.raises(Refused, match="SENDING"):
        deliver_outbox(outbox, settings_of(folder_channel(tmp_path)), lambda: NOW)
    assert deliver_outbox(outbox, settings_of(folder_channel(tmp_path)), lambda: NOW).sent == [("n1", "carried")]


def test_what_was_sent_is_kept_a_month(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")
    outbox.put(notice())
    settings = settings_of(folder_channel(tmp_path))
    deliver_outbox(outbox, settings, time.time)
    path = outbox.folder / SENT / "n1.json"
    assert path.exists()
    old = time.time() - 31 * 86400
    os.utime(path, (old, old))
    deliver_outbox(outbox, settings, time.time)
    assert not path.exists()


def test_nobody_to_tell_means_nothing_is_written(tmp_path: Path) -> None:
    notices = Notices(ABOUT, None, NO_MASK, print)
    notices.catch_up(STORY)
    notices.concluded(record_example.passed())
    assert list(tmp_path.iterdir()) == []
