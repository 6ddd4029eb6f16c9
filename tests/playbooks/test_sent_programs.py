"""Every text that is sent to a host's Python is Python 3.6, also where no such Python is at hand to try it."""

import ast
import json
import subprocess

import pytest

from orchestrator.adapters import probes
from orchestrator.adapters.collecting_program import Asked, collecting_program, collecting_request
from orchestrator.adapters.first_look import first_look_program
from orchestrator.adapters.sampler_program import sampler_program, sampler_request
from orchestrator.loader.site import load_site
from orchestrator.model.support import Limits
from playbooks import onhost_program
from tests.playbooks.test_old_python import PYTHON, SOURCES
from tests.support.sites import ROOT

ONHOST = ROOT / "playbooks/onhost"
SITE = load_site(ROOT / "inventory/example")
HOST = SITE.topology.gateways[0].host
LIMITS = Limits(whole=1 << 20, host=1 << 20, file=1 << 20, host_deadline_s=5.0)


def _sent() -> dict[str, str]:
    sampled = sampler_request(SITE.topology, HOST, 500, None)
    assert sampled is not None
    gathered = collecting_request(SITE.topology, SITE.topology.gateways[:1], Asked(LIMITS, b"key"))
    return {
        "sampler": sampler_program(ONHOST, sampled).decode(),
        "collecting": collecting_program(ONHOST, gathered).decode(),
        "first look": first_look_program(ONHOST, []),
        "tcp probe": probes.CONNECT,
        **{name: onhost_program.program(name, {}).decode() for name in ("gateway", "standby", "route", "barrier")},
        **{path.stem: path.read_text(encoding="utf-8") for path in SOURCES},
    }


SENT = _sent()


@pytest.mark.parametrize("name", SENT)
def test_its_grammar_is_that_of_3_6(name: str) -> None:
    ast.parse(SENT[name], feature_version=(3, 6))


@pytest.mark.parametrize("name", ["gateway", "standby", "route", "barrier"])
def test_what_an_interpreter_reads_as_its_script_is_ascii(name: str) -> None:
    """Python 3.6 reads a long line in parts, and refuses one that is parted in the middle of a character."""
    assert onhost_program.program(name, {"requests": [{"name": "深圳"}]}).isascii()


def test_newer_grammar_would_be_seen() -> None:
    with pytest.raises(SyntaxError):
        ast.parse("if (found := 1): pass", feature_version=(3, 6))


@pytest.mark.skipif(PYTHON is None, reason="no Python 3.6 found in PATH or pyenv")
@pytest.mark.parametrize("name", SENT)
def test_it_compiles_there(name: str) -> None:
    check = "import sys; compile(sys.stdin.buffer.read(), 'sent', 'exec')"
    subprocess.run([str(PYTHON), "-I", "-S", "-c", check], input=SENT[name].encode(), check=True, timeout=30)


@pytest.mark.skipif(PYTHON is None, reason="no Python 3.6 found in PATH or pyenv")
def test_a_first_look_works_there() -> None:
    program = first_look_program(ONHOST, ["/", "/nowhere"])
    done = subprocess.run([str(PYTHON), "-I", "-S", "-c", program], capture_output=True, check=True, timeout=30)
    found = json.loads(done.stdout)
    assert found["python"][:2] == [3, 6]
    assert found["closed"] == ["/nowhere"]
