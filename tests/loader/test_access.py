"""`access.yml`: what is wrong is named with its line, and the one ssh configuration made of it keeps to it."""

import subprocess
from pathlib import Path

import pytest
import yaml

from orchestrator.adapters.sampler_request import SamplerRequest
from orchestrator.adapters.ssh import SshSettings, settings_on_site, ssh_targets
from orchestrator.errors import DefinitionError, Refused
from orchestrator.loader.site import load_site
from tests.loader.test_bad_input import edit, site
from tests.support.sites import ROOT

__all__ = ["site"]

GOOD = {
    "identity_file": "keys/drill",
    "user": "drill",
    "bastions": [
        {"address": "198.18.9.1", "user": "ops"},
        {"address": "bastion.example", "port": 2222, "user": "ops@gw", "identity_file": "keys/bastion"},
    ],
    "become": {"method": "sudo", "user": "gwops"},
    "hosts": {"ce-a": {"user": "root", "become": {"method": "none"}}, "gw-a2": {"port": 2022}},
}


def write(site: Path, **changed: object) -> None:
    (site / "access.yml").write_text(yaml.safe_dump({**GOOD, **changed}, sort_keys=False), encoding="utf-8")


def reached(site: Path, control: Path) -> SshSettings:
    """With keys that lie there and are nobody's."""
    for name in ("keys/drill", "keys/bastion", "known_hosts"):
        path = site / name
        path.parent.mkdir(exist_ok=True)
        path.touch(mode=0o600)
    return settings_on_site(load_site(site), site, control)


def resolved(settings: SshSettings, host: str) -> dict[str, str]:
    """What OpenSSH itself makes of the configuration; it contacts nobody."""
    done = subprocess.run(
        ["ssh", *settings.options(), "-G", host], capture_output=True, text=True, check=True, timeout=10
    )
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)


def test_the_example_has_none_and_is_never_reached(tmp_path: Path) -> None:
    example = load_site(ROOT / "inventory/example")
    assert example.access is None
    with pytest.raises(Refused, match=r"REAL_SITE: expected .*access\.yml"):
        settings_on_site(example, example.folder, tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_it_is_part_of_the_inventory(site: Path) -> None:
    before = load_site(site).digest
    write(site)
    loaded = load_site(site)
    assert loaded.digest != before
    assert site / "access.yml" in loaded.files


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"identity_file": None}, "identity_file: expected"),
        ({"password": "hunter22"}, "password: expected no such field"),
        ({"known_hosts": 'a"b'}, "known_hosts: "),
        ({"identity_file": "%h/key"}, "identity_file: "),
        ({"hosts": {"gw-z9": {"port": 22}}}, "hosts.gw-z9: expected a host or router of topology.yml, found no such"),
        ({"become": {"method": "sudo"}}, "become: expected user with sudo and su, and none with none"),
        ({"become": {"method": "none", "user": "gwops"}}, "become: expected user with sudo and su"),
        ({"become": {"method": "sudo", "user": "gwops; rm -rf /"}}, "become.user: "),
        ({"hosts": {"gw-a1": {"user": "-oProxyCommand=x"}}}, "hosts.gw-a1.user: "),
        ({"hosts": {"gw-a1": {"interpreter": "python3 -c x"}}}, "hosts.gw-a1.interpreter: "),
        ({"bastions": [GOOD["bastions"][0]] * 2}, "expected each bastion once, found 198.18.9.1:22 again"),  # type: ignore[index] # a list
        ({"connect_timeout_s": 0}, "connect_timeout_s: "),
    ],
)
def test_what_is_wrong_is_named_with_its_line(site: Path, changed: dict[str, object], said: str) -> None:
    write(site, **changed)
    with pytest.raises(DefinitionError) as caught:
        load_site(site)
    assert f"{site}/access.yml:" in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize("variable", ["ansible_connection: local", "ansible_ssh_common_args: -o ProxyJump=x"])
def test_hosts_yml_says_nothing_beside_it(site: Path, variable: str) -> None:
    edit(site / "hosts.yml", "gw-a1: {ansible_host: 198.18.1.11}", f"gw-a1: {{ansible_host: 198.18.1.11, {variable}}}")
    load_site(site)  # a twin takes no notice of it
    write(site)
    name = variable.partition(":")[0]
    with pytest.raises(DefinitionError, match=rf"hosts\.yml:\d+: .*gw-a1 has {name}: expected no such variable"):
        load_site(site)


def test_every_host_has_its_own_way_in(site: Path, tmp_path: Path) -> None:
    write(site)
    settings = reached(site, tmp_path / "c")
    found = resolved(settings, "gw-a2")
    assert (found["hostname"], found["port"], found["user"]) == ("198.18.1.12", "2022", "drill")
    assert (found["proxyjump"], found["stricthostkeychecking"]) == ("bastion.2", "true")
    assert found["identityfile"] == str(site / "keys/drill")
    assert found["userknownhostsfile"] == str(site / "known_hosts")
    outer, inner = resolved(settings, "bastion.1"), resolved(settings, "bastion.2")
    assert (outer["hostname"], outer.get("proxyjump"), outer["identityfile"]) == (
        "198.18.9.1",
        None,
        str(site / "keys/drill"),
    )
    assert (inner["hostname"], inner["port"], inner["user"]) == ("bastion.example", "2222", "ops@gw")
    assert (inner["proxyjump"], inner["identityfile"]) == ("bastion.1", str(site / "keys/bastion"))


def test_whom_we_become_is_said_for_each_host(site: Path, tmp_path: Path) -> None:
    write(site)
    settings = reached(site, tmp_path / "c")
    targets = ssh_targets(load_site(site), settings.access)
    assert targets["gw-a1"].command("exec /bin/sh") == "exec sudo -n -H -u gwops /bin/sh -c 'exec /bin/sh'"
    assert targets["ce-a"].command("exec /bin/sh") == "exec /bin/sh"
    assert (targets["ce-a"].user, targets["gw-a1"].user) == ("root", "drill")


@pytest.mark.parametrize("destination", ["198.18.1.11", "gw-z9", "127.0.0.1", "bastion.3"])
def test_nothing_but_the_hosts_of_the_inventory_has_a_way(site: Path, tmp_path: Path, destination: str) -> None:
    """Also a host of the inventory by another name than its own: one name, one way in."""
    write(site)
    settings = reached(site, tmp_path / "c")
    assert "not contacted" in resolved(settings, destination)["proxycommand"]
    assert "proxycommand" not in resolved(settings, "gw-a1")


def test_who_asks_for_another_host_is_told_so(site: Path, tmp_path: Path) -> None:
    write(site)
    command = ["ssh", *reached(site, tmp_path / "c").options(), "-p", "9", "127.0.0.1", "true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    assert done.returncode == 255
    assert "this is no host of the inventory: not contacted" in done.stderr


def test_a_key_that_others_can_read_is_refused_and_so_is_one_that_is_not_there(site: Path, tmp_path: Path) -> None:
    write(site)
    reached(site, tmp_path / "c")
    (site / "keys/drill").chmod(0o644)
    with pytest.raises(Refused, match=r"NO_ACCESS: .*for its owner only, found mode 0644; `chmod 600"):
        settings_on_site(load_site(site), site, tmp_path / "c")
    (site / "keys/drill").unlink()
    with pytest.raises(Refused, match=r"NO_ACCESS: .*expected a private key .*found No such file"):
        settings_on_site(load_site(site), site, tmp_path / "c")


def test_a_folder_that_others_may_write_to_holds_no_configuration(site: Path, tmp_path: Path) -> None:
    write(site)
    (tmp_path / "c").mkdir()
    (tmp_path / "c").chmod(0o777)
    with pytest.raises(Refused, match="of this user alone"):
        reached(site, tmp_path / "c")


def test_what_a_sampler_is_asked_for_holds_the_same_access(site: Path, tmp_path: Path) -> None:
    write(site)
    settings = reached(site, tmp_path / "c")
    request = SamplerRequest(site, tmp_path, tmp_path, tmp_path / "alive", 500, 900.0, settings)
    request.write(tmp_path / "request.json")
    assert SamplerRequest.read(tmp_path / "request.json").ssh == settings
