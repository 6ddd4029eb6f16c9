"""`drillctl notify`: what waits, what is sent, and what notify.yml must not hold."""

import shutil
import time
from pathlib import Path

import pytest

from orchestrator.adapters.outbox import Outbox
from orchestrator.adapters.secrets import NO_MASK
from orchestrator.cli.telling import notices_of, outbox_of
from orchestrator.errors import DefinitionError
from orchestrator.loader.notify import load_notify
from orchestrator.wiring.places import Places
from tests.adapters.test_notify import notice
from tests.adapters.webhooks import receiver
from tests.cli.journals import left
from tests.support.command import Said, drillctl
from tests.support.sites import ROOT

KEY = "a key of more than sixteen characters"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "inventory", tmp_path / "inventory")
    (tmp_path / "key").write_text(KEY)
    return tmp_path / "inventory" / "example"


def write(site: Path, *lines: str) -> None:
    (site / "notify.yml").write_text("channels:\n" + "".join(f"  - {line}\n" for line in lines), encoding="utf-8")


def run(site: Path, *arguments: str) -> Said:
    state = site.parents[1]
    return drillctl("notify", *arguments, "--site", str(site), state=state)


def outbox(site: Path) -> Outbox:
    return Outbox(site.parents[1] / "state" / "outbox")


def hook(port: int) -> str:
    return f"{{id: hook, kind: webhook, url: 'http://127.0.0.1:{port}/', secret_file: ../../key}}"


def test_without_channels_nobody_is_told_and_that_is_said(site: Path) -> None:
    said = run(site)
    assert said.code == 0
    assert said.out.splitlines() == [f"no channels: {site}/notify.yml names none, so nobody is told", "nothing waits"]


def test_a_test_goes_to_every_channel_and_tells_which_one_works(site: Path) -> None:
    (site.parents[1] / "carried").mkdir()
    folder = "{id: folder, kind: outbox-folder, to: ../../carried, events: [closed]}"
    with receiver(key=KEY, now=time.time(), status=500) as bad:
        write(site, hook(bad.port), folder)
        said = run(site, "--test", "--json")
    assert said.code == 1
    assert [item["channel"] for item in said.document["sent"]] == ["folder"]
    assert said.document["problems"][0]["problem"] == "expected 2xx, found 500 Internal Server Error"
    (carried,) = (site.parents[1] / "carried").glob("test-example-*.json")
    assert "这是一条测试通知" in carried.read_text("utf-8")
    assert "tried 1×, expected 2xx" in run(site).out


def test_what_waits_is_shown_and_then_sent(site: Path) -> None:
    with receiver() as taker:
        write(site, hook(taker.port))
        outbox(site).put(notice())
        assert "hook: not tried yet" in run(site).out
        assert [item["id"] for item in run(site, "--json").document["waiting"]] == ["n1"]
        sent = run(site, "--once")
        assert (sent.code, sent.out) == (0, "hook: n1\nsent 1, failed 0, still waiting 0\n")
        assert [item["id"] for item in taker.taken] == ["n1"]
        assert run(site, "--once").out == "sent 0, failed 0, still waiting 0\n"


@pytest.mark.parametrize(
    ("line", "field", "said"),
    [
        ("{id: a, kind: apprise}", "url_file", "expected this field for a channel of kind apprise, found nothing"),
        (
            "{id: a, kind: apprise, url: 'wecombot://token'}",
            "url",
            "expected no such field for a channel of kind apprise",
        ),
        ("{id: a, kind: pigeon}", "kind", "'apprise', 'webhook', 'mail' or 'outbox-folder'"),
        ("{id: a, kind: webhook, url: 'https://h/?token=1', secret_file: ../../key}", "url", "(such go into url_file)"),
        ("{id: a, kind: webhook, url: 'ftp://h/', secret_file: ../../key}", "url", "expected https://HOST/"),
        ("{id: a, kind: webhook, url: 'https://h/'}", "secret_file", "found nothing"),
        ("{id: a, kind: webhook, url: 'https://h/', url_file: ../../key, secret_file: ../../key}", "url_file", "both"),
        ("{id: a, kind: webhook, url: 'https://h/', secret_file: key}", "secret_file", "outside the site's folder"),
        (
            "{id: a, kind: webhook, url: 'https://h/', secret_file: ../../nokey}",
            "secret_file",
            "expected a file, found none",
        ),
        ("{id: a, kind: mail, to: me, server: h, sender: a@b}", "to", "expected a mail address, found 'me'"),
        ("{id: a, kind: mail, to: a@b, server: 'h:x', sender: a@b}", "server", "expected host:port, found 'h:x'"),
        ("{id: a, kind: outbox-folder, to: x, events: [lunch]}", "events.0", "lunch"),
        ("{id: a, kind: outbox-folder, to: x, events: []}", "events", "expected at least one, found none"),
        ("{id: a, kind: outbox-folder, to: x, color: red}", "color", "expected no such field"),
    ],
)
def test_each_mistake_in_notify_yml_is_one_line_with_its_place(site: Path, line: str, field: str, said: str) -> None:
    write(site, line)
    with pytest.raises(DefinitionError) as caught:
        load_notify(site)
    problems = str(caught.value).splitlines()
    (problem,) = (item for item in problems if item.startswith(f"{site}/notify.yml:2: channels.0.{field}: "))
    assert said in problem
    assert len(problems) == 1 + (field == "url" and "kind: apprise" in line)
    assert "token" not in str(caught.value).replace("url_file", "")


def test_a_wrong_notify_yml_sends_nothing(site: Path) -> None:
    write(site, "{id: a, kind: apprise}")
    said = run(site, "--once")
    assert (said.code, said.out) == (2, "")


def test_an_id_comes_once(site: Path) -> None:
    write(site, *["{id: a, kind: outbox-folder, to: x}"] * 2)
    with pytest.raises(DefinitionError, match="expected each id once, found a again"):
        load_notify(site)


def test_a_wrong_notify_yml_is_said_and_keeps_no_run_from_going_on(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRILLCTL_STATE", str(site.parents[1] / "state"))
    opened = left(site.parents[1])
    with opened.journal() as journal:
        past = journal.events(opened.id)
    said: list[str] = []
    for text in ("channels: [", "channels:\n  - {id: a, kind: apprise}\n"):
        (site / "notify.yml").write_text(text)
        notices_of(Places(), site, opened.run.job, NO_MASK, said.append, past)
    assert [line.partition(":")[0] for line in said] == ["[bold red]nobody is notified[/]"] * 2
    assert not outbox_of(Places(), "example").folder.exists()
    write(site, "{id: a, kind: outbox-folder, to: x}")
    notices_of(Places(), site, opened.run.job, NO_MASK, said.append, past)
    assert len(said) == 2
    assert [path.name for path in outbox_of(Places(), "example").folder.iterdir()] == [f"{opened.id}-opened.json"]
