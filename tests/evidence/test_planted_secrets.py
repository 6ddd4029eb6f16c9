"""Secrets in all the places where Ansible and pytest leave them, by real Ansible and a real suite: none is in a pack.

Nothing is told to any mask about the first five: what is not allowed is not copied, whoever knows of it or not. The
sixth, in what a check says it has found, is known from the site's own list of secrets. Each filter was taken away
once, and a test here failed.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.adapters.ansible import Ansible
from orchestrator.adapters.checks import run_checks
from orchestrator.adapters.checks_context import CheckContext, CheckedGateway
from orchestrator.adapters.secrets import MASKED, Mask, known_secrets
from orchestrator.adapters.ssh import SshSettings
from orchestrator.errors import Refused
from orchestrator.evidence.scan import require_clean, scan
from orchestrator.loader.site import load_site
from orchestrator.model.drill import Check
from orchestrator.model.event import CheckRecord, CheckResult, Outcome
from tests.evidence.runs import GATEWAY, Run, bytes_of, checked
from tests.support.sites import ROOT

ENVIRONMENT = "Pl4nted-environment-密"
EXTRAVARS = 'Pl4nted"extravars'
REGISTERED = "Pl4nted-registered/result"
DIFF = "Pl4nted-diff-line"
TASK_NAME = "Pl4nted-task-name"
JUNIT = "Pl4nted-junit+text"
SIX = (ENVIRONMENT, EXTRAVARS, REGISTERED, DIFF, TASK_NAME, JUNIT)

PLAYBOOK = """\
---
- name: Plant in {{ named }}
  hosts: all
  gather_facts: false
  tasks:
    - name: Read a secret, not to be logged
      ansible.builtin.command: printenv REGISTERED
      register: found
      changed_when: false
      no_log: true
    - name: Log it all the same
      ansible.builtin.debug:
        var: found
    - name: "Carry out {{ named }}"
      ansible.builtin.command:
        argv: ["true", "{{ extra }}"]
      changed_when: false
    - name: Print the environment
      ansible.builtin.debug:
        msg: "{{ lookup('env', 'PLANTED') }}"
    - name: Show a difference
      ansible.builtin.copy:
        content: "{{ lookup('env', 'DIFFERENT') }}"
        dest: "{{ playbook_dir }}/written"
        mode: "0600"
"""

PLAY = """\
import json, sys
import ansible_runner
ansible_runner.run(**json.load(sys.stdin))
"""


def planted_play(run: Run, work: Path) -> Path:
    """A call as it would be of an adapter that took no care at all. Returns its folder."""
    project = work / "playbooks"
    project.mkdir(parents=True)
    (project / "plant.yml").write_text(PLAYBOOK)
    folder = run.folder / "steps/plant-1/ansible"
    folder.mkdir(parents=True)
    (folder / "play.json").write_text(json.dumps({"project": str(project), "playbook": "plant.yml"}))
    runner: dict[str, Any] = {
        "private_data_dir": str(folder),
        "project_dir": str(project),
        "playbook": "plant.yml",
        "inventory": "gw-a1 ansible_connection=local ansible_python_interpreter=" + sys.executable,
        "extravars": {"extra": EXTRAVARS, "named": TASK_NAME},
        "envvars": {"PLANTED": ENVIRONMENT, "REGISTERED": REGISTERED, "DIFFERENT": f"{DIFF}\n", "LC_ALL": "C.UTF-8"},
        "cmdline": "--diff",
        "quiet": True,
    }
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "ANSIBLE_LOCAL_TEMP": str(work / "tmp"), "HOME": str(work)}
    subprocess.run([sys.executable, "-c", PLAY], input=json.dumps(runner), env=environment, text=True, check=True)
    return folder


SUITE = f"""\
import pytest
SECRET = {JUNIT!r}

@pytest.mark.parametrize("way", [SECRET])
def test_says_it(gateway, look, way):
    look.saw("no secret", f"way {{way}}")
    assert way == "nothing", f"expected nothing, found {{way}}"
"""


def checks_of(run: Run, work: Path, mask: Mask) -> list[CheckRecord]:
    """A round of a suite that says a secret in an assertion, in an id of a parameter and in what it has found."""
    suites = work / "suites"
    suites.mkdir(parents=True)
    (suites / "test_login.py").write_text(SUITE, "utf-8")
    gateway = CheckedGateway(
        id=GATEWAY,
        host="gw-a1",
        spec={"receives_only": False, "class": "trading"},
        should_run=True,
        endpoints=None,
        sessions=(),
        logged_in=True,
        line=None,
        config_sha256=None,
    )
    context = CheckContext(
        phase="verifying",
        checks=(Check.LOGIN,),
        hosts={"gw-a1": ("true",)},
        gateways=(gateway,),
        routers=(),
        onhost=ROOT / "playbooks/onhost",
        deadline_s=20,
    )
    junit = run.folder / "junit-verifying.xml"
    return run_checks(run.folder / "steps/check-after-switch-1", context, suites, junit, 20, mask=mask)


@pytest.fixture(scope="module")
def site_secrets(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    """What a run knows to be secret: the site's own list names the one of the suite."""
    path = tmp_path_factory.mktemp("secrets") / "values"
    path.write_text(f"{JUNIT}\n")
    return known_secrets(load_site(ROOT / "inventory/example"), {}, [path])


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, site_secrets: frozenset[str]) -> Run:
    """A run in whose folder all six stand."""
    work = tmp_path_factory.mktemp("planted")
    mask = Mask(site_secrets)
    first = Run(work / "first")
    records = checks_of(first, work, mask)
    (work / "run").parent.mkdir(exist_ok=True)
    run = Run(work / "run", checked(*records))
    (first.folder / "junit-verifying.xml").rename(run.folder / "junit-verifying.xml")
    (first.folder / "steps").rename(run.folder / "steps")
    planted_play(run, work / "play")
    return run


def test_all_six_were_really_planted(planted: Run) -> None:
    """Else the next test would show nothing."""
    for folder, secrets in (("job_events", SIX[:5]), ("env", (EXTRAVARS, ENVIRONMENT))):
        for secret in secrets:
            assert [hit for hit in scan(planted.folder / "steps", [secret]) if f"/{folder}/" in hit.file], secret
    assert JUNIT in (planted.folder / "junit-verifying.xml").read_text("utf-8")


def test_none_of_the_six_is_in_any_byte_of_the_pack(planted: Run, tmp_path: Path, site_secrets: frozenset[str]) -> None:
    pack = planted.collect(tmp_path / "pack", text=Mask(site_secrets).text)
    assert scan(pack, SIX) == []
    files = bytes_of(pack)
    assert [name for name, data in files.items() if b"Pl4nted" in data] == []
    require_clean(pack, SIX)
    lines = files["ansible/plant-1.jsonl"].decode().splitlines()
    told = [json.loads(line) for line in lines]
    assert [item["result"] for item in told if "host" in item] == ["ok"] * 5
    assert {item["action"] for item in told if "host" in item} >= {"ansible.builtin.copy", "ansible.builtin.debug"}
    assert {item["at"] for item in told if "at" in item and "host" in item} >= {"plant.yml:6"}
    assert MASKED in files["checks/verifying.junit.xml"].decode()


def test_a_check_is_masked_before_the_journal_hears_of_it(planted: Run) -> None:
    [record] = [item for item in planted.record().checks if item.check == "login" and item.phase == "verifying"]
    assert (record.result, record.found) == (CheckResult.ABNORMAL, f"way {MASKED}")
    assert JUNIT not in str(planted.events())


def test_what_ansible_says_is_masked_before_the_journal_hears_of_it(tmp_path: Path) -> None:
    """By the product's own way to play: a module that fails with a secret in its message."""
    site, project = tmp_path / "site", tmp_path / "project/playbooks"
    site.mkdir()
    project.mkdir(parents=True)
    (project.parent / "ansible.cfg").write_text("[defaults]\nretry_files_enabled = False\n")
    hosts = f"all:\n  hosts:\n    gw-a1: {{ansible_connection: local, ansible_python_interpreter: {sys.executable}}}\n"
    (site / "hosts.yml").write_text(hosts)
    fails = (
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.fail:\n        msg: 'said {{ said }}'\n"
    )
    (project / "fail.yml").write_text(fails)
    for mask, expected in ((Mask([DIFF]), f"said {MASKED}"), (Mask(()), f"said {DIFF}")):
        ansible = Ansible(site, project, SshSettings(tmp_path), mask)
        found = ansible.play(tmp_path / f"call-{len(mask.secrets)}", "fail.yml", {"gw-a1": {"said": DIFF}}, 30)
        assert (found["gw-a1"].outcome, found["gw-a1"].message) == (Outcome.FAILED, expected)


@pytest.mark.parametrize("secret", SIX)
def test_one_that_comes_past_the_filters_stops_the_seal_and_is_not_repeated(
    planted: Run, tmp_path: Path, secret: str, site_secrets: frozenset[str]
) -> None:
    pack = planted.collect(tmp_path / "pack", text=Mask(site_secrets).text)
    with (pack / "ansible/plant-1.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"counter": 99, "msg": f"said {secret}"}) + "\n")
    with pytest.raises(Refused, match=r"SECRET_FOUND: .*ansible/plant-1\.jsonl at byte ") as caught:
        require_clean(pack, SIX)
    assert "Pl4nted" not in str(caught.value)
