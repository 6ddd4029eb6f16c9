"""A small orchestrator for these tests: starts the sampler of a run, says so, and waits to be killed.

python3 THIS SITE RUN ONHOST KEY KNOWN_HOSTS CONTROL_DIR INTERVAL_MS
"""

import sys
import time
from pathlib import Path

from orchestrator.adapters.sampler import Sampler
from orchestrator.adapters.ssh import SshSettings
from orchestrator.loader.site import load_site


def main() -> None:
    site, run, onhost, key, known_hosts, control_dir = (Path(name) for name in sys.argv[1:7])
    settings = SshSettings(control_dir, private_key=key, known_hosts=known_hosts)
    sampler = Sampler(load_site(site), settings, onhost, run, int(sys.argv[7])).start()
    if sampler.wait_for(lambda: bool(sampler.latest()), 20):
        print("measuring", flush=True)  # noqa: T201 - standard output is how the test is told
    time.sleep(600)


main()
