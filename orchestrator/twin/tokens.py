"""Certificates on the twin's hosts that cannot be used, and what the hosts have noted of EKeys, from outside."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.model.drill import CertificateCause
from orchestrator.model.topology import Certificate, CertificateKind, Topology, fill
from orchestrator.twin.programs.gateway_files import FOLDER

# What is wrong with the thing that holds the private key; what the exchange finds wrong is its own affair.
_TROUBLE = {
    CertificateCause.EKEY_LOCKED: "EKey is locked",
    CertificateCause.LOST: "certificate is not there",
    CertificateCause.DAMAGED: "certificate cannot be read",
}


class Tokens:
    """`processes` is process 1 of each host."""

    def __init__(self, topology: Topology, processes: Mapping[str, int]) -> None:
        self._topology = topology
        self._processes = processes

    def set_causes(self, causes: Mapping[str, CertificateCause]) -> None:
        """From now on exactly these cannot be used, each on every host that has it."""
        for certificate in self._topology.certificates:
            for host in sorted(self._hosts(certificate)):
                file = self._root(host) / FOLDER.lstrip("/") / f"token-{certificate.id}"
                trouble = _TROUBLE.get(causes[certificate.id]) if certificate.id in causes else None
                if trouble:
                    file.write_text(trouble, encoding="utf-8")
                else:
                    file.unlink(missing_ok=True)

    def pin_attempts(self) -> dict[str, list[dict[str, Any]]]:
        """Per EKey every opening of it, oldest first: {at, right}."""
        return {
            item.id: sorted(self._attempts(item), key=lambda found: float(found["at"]))
            for item in self._topology.certificates
            if item.kind is CertificateKind.EKEY
        }

    def _attempts(self, certificate: Certificate) -> Iterator[dict[str, Any]]:
        for gateway in self._topology.gateways:
            if certificate.id not in gateway.certificates:
                continue
            status = fill(self._topology.profiles[gateway.profile].status.path, gateway)
            file = self._root(gateway.host) / status.lstrip("/")
            try:
                lines = file.with_name(f"pin-{certificate.id}.log").read_text(encoding="ascii").splitlines()
            except OSError:
                continue
            for line in lines:
                at, word = line.split()
                yield {"at": float(at), "right": word == "right", "gateway": gateway.id}

    def _hosts(self, certificate: Certificate) -> set[str]:
        users = (item for item in self._topology.gateways if certificate.id in item.certificates)
        return {item.host for item in users if certificate.host in (None, item.host)}

    def _root(self, host: str) -> Path:
        return Path(f"/proc/{self._processes[host]}/root")
