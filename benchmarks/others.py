"""Other programs that move gateways: Ansible with its own defaults, Ansible tuned, and pyinfra. Their usual tasks.

They prove nothing between stop and start. Each is run as a program in the twin, with the keys of the twin and nobody's
own settings; pyinfra from an environment of its own (`make bench` makes it).
"""

import json
import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.ground import Ground, Move, Taken, need, run_program, say, taken, tidy
from orchestrator.model.topology import certificate_text
from orchestrator.wiring.places import ROOT

_HERE = Path(__file__).parent
_PLAYBOOK = _HERE / "playbooks" / "repoint.yml"
_DEPLOY = _HERE / "pyinfra_repoint.py"
PYINFRA = ROOT / ".venv-bench" / "bin" / "pyinfra"
_SAID = 1500  # characters of what a program said, where it failed
_CONFIG = "ansible.cfg"
_TUNED = """\
[defaults]
forks = {hosts}
gathering = explicit
interpreter_python = /usr/bin/python3
[ssh_connection]
pipelining = True
ssh_args = {options}
"""


def stock(ground: Ground, deadline_s: float) -> Taken:
    """Ansible as it comes: facts, five forks, no pipelining, the interpreter searched for."""
    return _ansible(ground, "stock", "", deadline_s)


def tuned(ground: Ground, deadline_s: float) -> Taken:
    """As many forks as hosts, pipelining, connections that are kept, no facts, a fixed interpreter."""
    options = shlex.join(ground.ssh("tuned").options())
    return _ansible(ground, "tuned", _TUNED.format(hosts=len(ground.moves), options=options), deadline_s)


def _ansible(ground: Ground, way: str, config: str, deadline_s: float) -> Taken:
    ssh, folder = ground.ssh(way), ground.scratch / way
    folder.mkdir()
    (folder / _CONFIG).write_text(config, encoding="utf-8")
    alone = ["-F", "/dev/null", "-o", f"UserKnownHostsFile={ssh.known_hosts}", "-o", "GlobalKnownHostsFile=/dev/null"]
    hosts = {
        move.host: _values(ground, move)
        | {
            "ansible_host": ground.targets[move.host].address,
            "ansible_port": ground.targets[move.host].port,
            "ansible_user": ground.targets[move.host].user,
            "ansible_ssh_private_key_file": str(ssh.private_key),
            "ansible_ssh_common_args": shlex.join(alone),
        }
        for move in ground.moves
    }
    inventory = folder / "hosts.json"
    inventory.write_text(json.dumps({"gateways": {"hosts": hosts}}, ensure_ascii=False), encoding="utf-8")
    waves = json.dumps({"waves": [len(wave) for wave in ground.waves]})
    words = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory), "-e", waves, str(_PLAYBOOK)]
    own = {"ANSIBLE_CONFIG": str(folder / _CONFIG), "ANSIBLE_HOME": str(folder / "home")}
    return _run(ground, way, words, own, deadline_s)


def pyinfra(ground: Ground, deadline_s: float) -> Taken:
    """Its own connections (paramiko), all hosts of a wave at once."""
    need(PYINFRA.exists(), f"{PYINFRA}: `make .venv-bench` installs it")
    ssh, folder = ground.ssh("pyinfra"), ground.scratch / "pyinfra"
    folder.mkdir()
    gateways = [
        (
            move.host,
            _values(ground, move)
            | {
                "waves": len(ground.waves),
                "ssh_hostname": ground.targets[move.host].address,
                "ssh_port": ground.targets[move.host].port,
                "ssh_user": ground.targets[move.host].user,
                "ssh_key": str(ssh.private_key),
                "ssh_known_hosts_file": str(ssh.known_hosts),
                "ssh_strict_host_key_checking": "yes",
                "ssh_config_file": "/dev/null",
            },
        )
        for move in ground.moves
    ]
    inventory = folder / "inventory.py"
    inventory.write_text(f"gateways = {gateways!r}\n", encoding="utf-8")
    parallel = str(max(len(wave) for wave in ground.waves))
    words = [str(PYINFRA), "--yes", "--parallel", parallel, str(inventory), str(_DEPLOY)]
    return _run(ground, "pyinfra", words, {}, deadline_s)


def _values(ground: Ground, move: Move) -> dict[str, Any]:
    """What template and tasks need of one gateway."""
    topology = ground.site.topology
    gateway = topology.gateway[move.gateway]
    used = next(item for item in topology.certificates if item.id == gateway.certificate)
    spec = move.spec
    return {
        "wave": move.wave,
        "title": gateway.title.zh,
        "number": move.number,
        "certificate": certificate_text(topology.profiles[gateway.profile], used),
        "servers": list(move.after),
        "stop": " ".join(spec["service"]["stop"]),
        "start": " ".join(spec["service"]["start"]),
        "config": spec["config"]["path"],
        "mode": "644",
        "status": spec["status"]["path"],
        "logged_in": f"{spec['status']['logged_in_key']}={spec['status']['logged_in_value']}",
    }


def _run(ground: Ground, way: str, words: Sequence[str], own: Mapping[str, str], deadline_s: float) -> Taken:
    """From the moment at which it is called; one that does not end in time is ended."""
    home = ground.scratch / way
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", **own}
    log = home / "said"
    with tidy(ground.twin):
        began = time.time()
        status = run_program(ground, words, environment, log, deadline_s)
        ended = time.time()
    if status is None:
        say(f"    {way} did not end within {deadline_s:g} s")
    elif status:
        raise SystemExit(f"expected {way} to move every gateway, found exit {status}: {_tail(log)}")
    return taken(ground, began, ended)


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-_SAID:]
