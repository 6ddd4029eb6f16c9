"""What the orchestrator asks of its sampler process, as it lies in that process's folder."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from orchestrator.adapters.ssh import SshSettings
from orchestrator.model.access import Access

REQUEST = "request.json"
_SILENT_INTERVALS, _SILENCE_AT_LEAST_S = 6, 5.0  # our choice: silent for so long means lost


def silence_s(interval_ms: int) -> float:
    """Who was not heard for so long is lost."""
    return max(_SILENCE_AT_LEAST_S, _SILENT_INTERVALS * interval_ms / 1000)


@dataclass(frozen=True)
class SamplerRequest:
    """What to sample, for which run. `run` is the run's folder; `alive` is touched as long as somebody wants it."""

    site: Path
    onhost: Path
    run: Path
    alive: Path
    interval_ms: int
    lease_s: float
    ssh: SshSettings
    simulated: bool = False  # on a twin every host is scriptable

    def write(self, path: Path) -> None:
        document = {
            **{key: str(getattr(self, key).absolute()) for key in ("site", "onhost", "run", "alive")},
            "interval_ms": self.interval_ms,
            "simulated": self.simulated,
            "lease_s": self.lease_s,
            "control_dir": str(self.ssh.control_dir.absolute()),
            "private_key": str(self.ssh.private_key.absolute()) if self.ssh.private_key else None,
            "known_hosts": str(self.ssh.known_hosts.absolute()) if self.ssh.known_hosts else None,
            "connect_timeout_s": self.ssh.connect_timeout_s,
            "access": self.ssh.access.model_dump(mode="json") if self.ssh.access else None,
        }
        path.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Self:
        found = json.loads(path.read_text(encoding="utf-8"))
        key, known_hosts = (Path(found[name]) if found[name] else None for name in ("private_key", "known_hosts"))
        access = Access.model_validate(found["access"]) if found.get("access") else None
        return cls(
            **{name: Path(found[name]) for name in ("site", "onhost", "run", "alive")},
            interval_ms=found["interval_ms"],
            lease_s=found["lease_s"],
            ssh=SshSettings(Path(found["control_dir"]), key, known_hosts, found["connect_timeout_s"], access),
            simulated=found.get("simulated", False),
        )
