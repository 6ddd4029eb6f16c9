"""Which values are known to be secret, and that a mask leaves none of them in a text."""

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from orchestrator.adapters import vault
from orchestrator.adapters.ansible import Hearing
from orchestrator.adapters.secrets import MASKED, NO_MASK, Mask, known_secrets
from orchestrator.loader.site import LoadedSite, load_site
from tests.support.sites import ROOT

VAULT = Path(sys.executable).parent / "ansible-vault"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "inventory", tmp_path / "inventory")
    return tmp_path / "inventory/example"


@pytest.fixture
def site(folder: Path) -> LoadedSite:
    return load_site(folder)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    "name",
    [
        "ansible_password",
        "ansible_become_pass",
        "db_passwd",
        "API_KEY",
        "GW_TOKEN",
        "client_secret",
        "ekey_pin",
        "口令",
    ],
)
def test_a_variable_is_secret_by_its_name(site: LoadedSite, name: str) -> None:
    assert known_secrets(site, {name: "hunter22"}, []) == {"hunter22"}
    write(site.folder / "group_vars/all.yml", f"{name}: hunter23\nother: {{list: [{{{name}: {{deep: hunter24}}}}]}}\n")
    assert known_secrets(site, {}, []) == {"hunter23", "hunter24"}


@pytest.mark.parametrize(
    "name",
    ["PATH", "HOME", "ansible_user", "SSH_AUTH_SOCK", "ansible_ssh_private_key_file", "monkey", "pinned"],
)
def test_other_variables_are_not(site: LoadedSite, name: str) -> None:
    assert known_secrets(site, {name: "hunter22"}, []) == frozenset()


def test_a_place_is_no_secret(site: LoadedSite, tmp_path: Path) -> None:
    places = {"PWD": str(tmp_path), "OLDPWD": str(ROOT), "SSH_ASKPASS": "/bin/sh"}
    assert known_secrets(site, {**places, "DB_PWD": "/hunter22/"}, []) == {"/hunter22/"}


def test_variables_are_found_wherever_ansible_finds_them(site: LoadedSite) -> None:
    write(site.folder / "group_vars/routers/main.yml", "ansible_password: hunter22\n")
    write(site.folder / "host_vars/gw-a1.yml", "ansible_password: hunter23\n")
    hosts = site.folder / "hosts.yml"
    text = hosts.read_text("utf-8")
    hosts.write_text(
        text.replace("ansible_user: root", "ansible_user: root\n        ansible_password: hunter24"), "utf-8"
    )
    assert known_secrets(site, {}, []) == {"hunter22", "hunter23", "hunter24"}


def test_a_file_holds_one_value_a_line_and_one_that_is_not_there_none(site: LoadedSite, tmp_path: Path) -> None:
    path = write(tmp_path / "values", "hunter22\n\n  密码一二三四  \r\n")
    assert known_secrets(site, {}, [path, tmp_path / "none"]) == {"hunter22", "密码一二三四"}


def test_numbers_are_values_too_and_short_ones_are_none(site: LoadedSite) -> None:
    write(site.folder / "group_vars/all.yml", "ekey_pin: 13579246\nold_pin: 1234\npassword: true\ntoken:\n")
    assert known_secrets(site, {}, []) == {"13579246"}


def test_what_must_be_told_is_no_secret_whatever_its_name(site: LoadedSite) -> None:
    told = {"A_TOKEN": "W100200", "B_TOKEN": "nq-trade-1", "C_TOKEN": "succeeded", "D_TOKEN": "172.60.101.30"}
    assert known_secrets(site, {**told, "E_TOKEN": "W100200-1"}, []) == {"W100200-1"}


def test_of_a_private_key_lines_of_its_body_are_looked_for(site: LoadedSite, tmp_path: Path) -> None:
    path = tmp_path / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", str(path)], check=True)
    body = path.read_text().splitlines()[1:-1]
    found = known_secrets(site, {}, [path])
    assert found <= set(body[1:])
    assert len(found) >= 4
    write(site.folder / "group_vars/all.yml", f"ansible_ssh_private_key_file: {path}\n")
    assert known_secrets(site, {}, []) == found


@pytest.fixture
def opened(site: LoadedSite, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment in which a vault's password is known."""
    password = write(tmp_path / "password", "open sesame\n")
    yield {"ANSIBLE_VAULT_PASSWORD_FILE": str(password)}
    assert site.folder.exists()


def encrypted(text: str, environment: dict[str, str], *name: str) -> str:
    """By Ansible itself."""
    command = (
        [str(VAULT), "encrypt_string", "--stdin-name", *name] if name else [str(VAULT), "encrypt", "--output", "-"]
    )
    found = subprocess.run(
        command, input=text, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return found.stdout


def test_what_a_vault_holds_is_secret_whatever_its_name(site: LoadedSite, opened: dict[str, str]) -> None:
    write(site.folder / "group_vars/all.yml", encrypted("hunter22", opened, "plain_name"))
    write(site.folder / "host_vars/gw-a1.yml", encrypted("one: hunter23\ntwo: [hunter24]\n", opened))
    assert known_secrets(site, opened, []) == {"open sesame", "hunter22", "hunter23", "hunter24"}


def test_a_vault_that_cannot_be_opened_tells_nothing(site: LoadedSite, opened: dict[str, str]) -> None:
    write(site.folder / "host_vars/gw-a1.yml", encrypted("one: hunter23\n", opened))
    assert known_secrets(site, {}, []) == frozenset()
    text = (site.folder / "host_vars/gw-a1.yml").read_text()
    assert vault.opened(text, ["another"]) is None
    assert vault.opened(text.replace("3", "z"), ["open sesame"]) is None
    assert vault.opened("plain", ["open sesame"]) is None


def test_a_mask_leaves_no_form_of_a_value() -> None:
    secret = 'hunter"22/密'  # noqa: S105 - of nothing
    mask = Mask([secret, "another value"])
    forms = [
        secret,
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        quote(secret),
        quote(secret, safe=""),
        repr(secret),
        secret.encode().hex(),
        secret.encode("gbk").hex().upper(),
        *(base64.b64encode(b"\0" * before + secret.encode() + b"after").decode() for before in range(3)),
    ]
    for form in forms:
        masked = mask.text(f"before {form} after")
        assert MASKED in masked, form
        assert masked.startswith("before ")
        assert "unter" not in masked
    assert mask.text("nothing to see") == "nothing to see"


def test_the_longest_value_is_masked_whole() -> None:
    assert Mask(["hunter22", "hunter22-long"]).text("hunter22-long hunter22") == f"{MASKED} {MASKED}"


def test_digits_within_a_number_stay() -> None:
    assert Mask(["123456"]).text("at 0.123456 and 91234567, PIN 123456.") == f"at 0.123456 and 91234567, PIN {MASKED}."


def test_data_is_masked_at_any_depth_and_its_names_stay() -> None:
    data = {"hunter22": [{"a": "x hunter22"}, ("hunter22", 1, None, True)]}
    assert Mask(["hunter22"]).data(data) == {"hunter22": [{"a": f"x {MASKED}"}, [MASKED, 1, None, True]]}
    assert NO_MASK.data(data) is data


def test_what_a_host_says_is_masked_before_anybody_hears_it() -> None:
    line = {"event": "runner_on_failed", "host": "gw-a1", "task_action": "debug", "res": {"msg": "said hunter22"}}
    own = {
        **line,
        "task_action": "onhost",
        "res": {"msg": "", "results": [{"outcome": "failed", "message": "hunter22"}]},
    }
    heard: list[object] = []
    hearing = Hearing(heard.append, Mask(["hunter22"]))
    hearing.listen([json.dumps(line), json.dumps(own)])
    assert len(heard) == 2
    assert "hunter22" not in str([heard, hearing.results])
