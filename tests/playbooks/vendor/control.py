"""The vendor's start and stop command. Usage: control.py SETTINGS.json start|stop

A file `broken` beside the settings makes every start fail at once, as a damaged installation would. `starts` there
gets a line for each start.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

SETTINGS = Path(sys.argv[1])
settings = json.loads(SETTINGS.read_text(encoding="utf-8"))
pid_file = SETTINGS.with_name("pid")
if sys.argv[2] == "start":
    if SETTINGS.with_name("broken").exists():
        sys.exit(3)
    words = [settings["python"], str(Path(__file__).with_name("gateway.py")), str(SETTINGS)]
    process = subprocess.Popen(
        [*words, "--gateway", settings["spec"]["number"]],
        stdin=subprocess.DEVNULL,
        stderr=SETTINGS.with_name("gateway.err").open("ab"),
        start_new_session=True,
    )
    pid_file.write_text(str(process.pid))
    with SETTINGS.with_name("starts").open("a") as starts:
        starts.write(f"{process.pid}\n")
    os._exit(0)
if SETTINGS.with_name("stubborn").exists():
    sys.exit(0)
with suppress(FileNotFoundError, ProcessLookupError):
    os.kill(int(pid_file.read_text()), signal.SIGTERM)
