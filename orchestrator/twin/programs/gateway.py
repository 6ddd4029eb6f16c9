"""The simulated gateway: does on a twin's host what the site's profile says that the vendor's program does.

    PROCESS_TEXT gateway.py /etc/drillctl-twin/gateway-ID.json INSTANCE

The first word is the filled `service.process` text, so that the process is found as the vendor's would be. INSTANCE is
drawn anew for each start and goes into every logon: the twin's ground truth tells processes apart by it, and finds it
in the command line of whoever still runs. A second process of the same gateway is not prevented: it is the very
mistake that the twin must be able to show. SIGTERM logs out and ends it; nothing starts it again.
"""

import os
import selectors
import signal
import sys
import time

from orchestrator.twin.programs.gateway_files import Log, Settings, Status
from orchestrator.twin.programs.orders import Orders
from orchestrator.twin.programs.receiver import Receiver
from orchestrator.twin.programs.upstream import Upstream

LONGEST_WAIT_S = 60.0
Source = Upstream | Receiver


def main(arguments: list[str]) -> int:
    """Run until told to stop. 1: it could not start; its log says why."""
    file, instance = arguments
    settings = Settings(file)
    log = Log(settings.under_root(settings["log"]["path"]), settings["log"])
    status = Status(settings.under_root(settings["status"]["path"]), settings["status"])
    if settings.is_blocked:
        log.text("start refused: blocked")
        return 1
    selector = selectors.DefaultSelector()
    stop = _stop_signal(selector)
    now = time.monotonic()
    try:
        source: Source = (
            Receiver(settings, selector, log, status, now)
            if settings["class"] == "market-data-multicast"
            else Upstream(settings, instance, selector, log, status, now)
        )
    except (ValueError, OSError) as error:
        log.text(f"cannot start: {error}")
        return 1
    orders = Orders(settings, selector, log, lambda: source.logged_in) if settings["order_port"] else None
    parts = [part for part in (source, orders, status) if part is not None]
    _loop(selector, source, parts, stop)
    return 0


def _loop(
    selector: selectors.BaseSelector, source: Source, parts: list[Source | Orders | Status], stop: list[bool]
) -> None:
    """Events first, then time: after a freeze, what arrived meanwhile counts before any silence does."""
    while not source.stopped:
        wait = min(part.deadline() for part in parts) - time.monotonic()
        for key, _ in selector.select(min(max(wait, 0.0), LONGEST_WAIT_S)):
            key.data(time.monotonic())
        now = time.monotonic()
        if stop:
            stop.clear()
            source.leave(now)
        for part in parts:
            part.tick(now)


def _stop_signal(selector: selectors.BaseSelector) -> list[bool]:
    """A list that becomes non-empty with SIGTERM or SIGINT; the signal also wakes the selector."""
    wanted: list[bool] = []
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    selector.register(reader, selectors.EVENT_READ, lambda _now: os.read(reader, 64))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: wanted.append(True))
    return wanted


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
