"""A small gateway program, as a vendor's would be: own file, status, log; tries its list from the top.

Usage: gateway.py SETTINGS.json --gateway NUMBER
"""

import json
import os
import signal
import socket
import sys
import time
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

SETTINGS = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
sys.path.insert(0, SETTINGS["onhost"])

import vendor_file  # type: ignore[import-not-found] # noqa: E402 - found on the path above

SILENCE_S = 10  # a front may be mute for as long as a busy machine needs to begin a test's request


class Stop(Exception):
    pass


def log(text: str) -> None:
    with open(SETTINGS["spec"]["log"]["path"], "a", encoding="utf-8") as file:
        file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S.%f} {text}\n")


def status(logged_in: str, endpoint: str) -> None:
    path = SETTINGS["spec"]["status"]["path"]
    with open(path + ".new", "w") as file:
        file.write(f"logged_in={logged_in}\nendpoint={endpoint}\n")
    os.replace(path + ".new", path)


def ask(connection: socket.socket, line: str, wait_s: float) -> str:
    connection.settimeout(wait_s)
    connection.sendall(line.encode() + b"\n")
    return connection.recv(100).decode().strip()


def serve(connection: socket.socket, endpoint: str, number: str) -> None:
    log(f"connected to main station {endpoint}")
    try:
        answer = ask(connection, f"LOGIN {number}", SETTINGS["login_wait_s"])
        if answer != "OK":
            log(f"logon refused by {endpoint}: {answer}")
            return
        log(f"logon accepted by {endpoint}")
        status("yes", endpoint)
        while True:
            time.sleep(0.1)
            if not ask(connection, "BEAT", SILENCE_S):
                break
        log(f"connection to {endpoint} lost: closed")
        status("no", "")
    except Stop:
        try:
            acknowledged = ask(connection, "LOGOUT", 0.3) == "BYE"
        except OSError:
            acknowledged = False
        if acknowledged:
            log(f"logged out of {endpoint}")
        status("no", "")
        raise
    except OSError as error:
        log(f"connection to {endpoint} lost: {error}")
        status("no", "")


def stop(_number: int, _frame: FrameType | None) -> None:
    raise Stop


def endpoints(spec: dict[str, Any]) -> list[str]:
    with open(spec["path"], "rb") as file:
        return list(vendor_file.read_endpoints(file.read(), spec))


def main(number: str) -> None:
    signal.signal(signal.SIGTERM, stop)
    status("no", "")
    while True:
        for endpoint in endpoints(SETTINGS["spec"]["config"]):
            address, port = endpoint.split(":")
            try:
                with socket.create_connection((address, int(port)), 1) as connection:
                    serve(connection, endpoint, number)
            except OSError:
                pass
            time.sleep(0.05)


try:
    main(sys.argv[3])
except Stop:
    sys.exit(0)
