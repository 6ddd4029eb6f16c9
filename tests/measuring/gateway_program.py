"""A small real gateway for these tests: keeps one TCP connection to the first listed endpoint that accepts.

python3 NAME ARGUMENTS… -- LIST STATUS LOG. LIST holds one `address:port` per line after `# BEGIN` (the vendor file
of the tests' own profile). It writes its status file and its log as the example's profiles say.
"""

import socket
import sys
import time
from datetime import datetime
from pathlib import Path


def main() -> None:
    listed, status, log = (Path(name) for name in sys.argv[sys.argv.index("--") + 1 :])
    sequence = 0
    while True:
        endpoints = listed.read_text(encoding="utf-8").split("# BEGIN\n")[1].split("# END")[0].split()
        for endpoint in endpoints:
            address, _, port = endpoint.partition(":")
            try:
                front = socket.create_connection((address, int(port)), timeout=1)
            except OSError:
                continue
            stamp(log, f"connected to main station {endpoint}")
            stamp(log, f"logon accepted by {endpoint}")
            front.settimeout(0.05)
            while alive(front):
                sequence += 1
                tell(status, logged_in="yes", endpoint=endpoint, last_sequence=sequence)
            tell(status, logged_in="no", last_sequence=sequence)
            stamp(log, f"connection to {endpoint} lost: closed by the far end")
        time.sleep(0.05)


def alive(front: socket.socket) -> bool:
    try:
        return front.recv(100) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


def tell(status: Path, **fields: object) -> None:
    new = status.with_suffix(".new")
    new.write_text("".join(f"{key}={value}\n" for key, value in fields.items()), encoding="utf-8")
    new.rename(status)


def stamp(log: Path, text: str) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S.%f} {text}\n")  # noqa: DTZ005 - logs are in local time


main()
