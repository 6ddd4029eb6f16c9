"""A real browser shows the report and asks nobody for anything: a proxy would record every request."""

import shutil
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar
from urllib.parse import urlsplit

import pytest

from orchestrator.report.render import render
from orchestrator.report.texts import Language
from tests.report import record_example

# What a browser does by itself is off as far as it can be.
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-default-apps"),
    *("--disable-extensions", "--disable-domain-reliability", "--no-default-browser-check", "--disable-breakpad"),
    "--disable-features=OptimizationHints,MediaRouter,Translate,AutofillServerCommunication",
)
# What is left: its clock, accounts and updates, none of which serves anything to a page.
ITS_MAKERS = {
    "accounts.google.com",
    "clients2.google.com",
    "optimizationguide-pa.googleapis.com",
    "safebrowsingohttpgateway.googleapis.com",
    "update.googleapis.com",
}
LIMIT_S = 120


class Recorder(BaseHTTPRequestHandler):
    """Answers nothing, and keeps what it was asked."""

    asked: ClassVar[list[str]] = []

    def _record(self) -> None:
        self.asked.append(self.path)
        self.send_error(502)

    do_GET = do_POST = do_HEAD = do_CONNECT = _record  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Silent."""


@pytest.fixture(scope="module")
def proxy() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def shown(page: Path, proxy: ThreadingHTTPServer) -> str:
    """The page as the browser has it in the end. Loopback is not spared the proxy."""
    program = shutil.which("chromium")
    assert program, "expected chromium; `make setup-tests`"
    Recorder.asked.clear()
    through = f"--proxy-server=http://127.0.0.1:{proxy.server_port}"
    profile = f"--user-data-dir={page.parent / 'profile'}"
    options = (*QUIET, through, "--proxy-bypass-list=<-loopback>", profile, "--dump-dom")
    command = [program, *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=LIMIT_S).stdout


def host_of(asked: str) -> str:
    """Of `http://host/path`, or of a tunnel's `host:443`."""
    return urlsplit(asked).hostname or "" if "://" in asked else asked.partition(":")[0]


def asked_for(host: str) -> list[str]:
    return [url for url in Recorder.asked if host in url]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_browser_shows_the_report_and_asks_nobody(
    tmp_path: Path, proxy: ThreadingHTTPServer, language: Language
) -> None:
    page = tmp_path / "report.html"
    page.write_text(render(record_example.passed(), language, "5e" * 32), encoding="utf-8")
    text = shown(page, proxy)
    assert "W100200" in text
    assert 'id="signoff"' in text
    assert [url for url in Recorder.asked if host_of(url) not in ITS_MAKERS] == []


def test_a_request_would_be_seen(tmp_path: Path, proxy: ThreadingHTTPServer) -> None:
    page = tmp_path / "page.html"
    page.write_text('<!doctype html><p>x</p><img src="http://outside.example/x.png">', encoding="utf-8")
    shown(page, proxy)
    assert asked_for("outside.example") == ["http://outside.example/x.png"]


def test_the_pages_own_policy_stops_what_a_text_could_smuggle_in(tmp_path: Path, proxy: ThreadingHTTPServer) -> None:
    html = render(record_example.passed(), "en")
    smuggled = '<img src="http://outside.example/x.png"><script src="http://outside.example/x.js"></script>'
    page = tmp_path / "report.html"
    page.write_text(html.replace("<footer>", smuggled + "<footer>"), encoding="utf-8")
    assert "outside.example" in shown(page, proxy)
    assert asked_for("outside.example") == []
