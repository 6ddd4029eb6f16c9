"""A fabric connection goes where the site's own settings lead, and nowhere else."""

from pathlib import Path

import pytest

from orchestrator.adapters.connection import connection
from orchestrator.adapters.ssh import SshSettings, SshTarget


def test_nobodys_own_ssh_configuration_leads_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is opened: where it would go is looked at."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    text = "Host *\n    HostName 127.0.0.9\n    ProxyCommand nc 127.0.0.10 22\n    Port 2022\n"
    (home / ".ssh" / "config").write_text(text)
    monkeypatch.setenv("HOME", str(home))
    known_hosts = tmp_path / "known_hosts"
    known_hosts.touch()
    settings = SshSettings(tmp_path, tmp_path / "key", known_hosts)
    found = connection(SshTarget("gw-a1", "127.0.0.5", 22, "ops"), settings)
    assert (found.host, found.port, found.gateway) == ("127.0.0.5", 22, None)
