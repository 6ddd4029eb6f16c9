"""What a failback is proved against: how everything has to be again, and what the incident left. Pure data.

An incident's own snapshot was taken after the fault, so its sessions and routes are no baseline: those come from the
inventory. What its files were before it changed them is in that snapshot.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from orchestrator.model.base import Frozen, Id


class FailsBack(Frozen):
    """The incident that a plan brings home."""

    run: Annotated[str, Field(description="The incident's run")]
    plan_digest: Annotated[str, Field(description="Digest of the incident's plan")]
    gateways: Annotated[dict[Id, dict[str, Any]], Field(description="Fields of a snapshot as they have to be again")]
    routers: Annotated[dict[Id, dict[Id, str]], Field(description="Line of each router towards each centre")]
    residue: Annotated[dict[str, tuple[str, ...]], Field(description="What lay on each host before the incident")] = {}
    left: Annotated[dict[Id, str], Field(description="Digest of each file as the incident left it")] = {}

    def over(self, taken: Mapping[str, Any]) -> dict[str, Any]:
        """The data of a snapshot, with everything that has to be otherwise again as it has to be."""
        gateways = {name: {**state, **self.gateways.get(name, {})} for name, state in taken["gateways"].items()}
        routers = {name: {**lines, **self.routers.get(name, {})} for name, lines in taken["routers"].items()}
        residue = {host: list(lines) for host, lines in self.residue.items()}
        return {**taken, "gateways": gateways, "routers": routers, "residue": residue}

    def original(self, gateway: str) -> str | None:
        """Digest of its file before the incident; None: the incident did not change it."""
        found: str | None = self.gateways.get(gateway, {}).get("config_sha256")
        return found

    def still_left(self, taken: Mapping[str, Any]) -> dict[str, str]:
        """Digests that the files have to have before they are changed: what somebody has put back already is home."""
        found = {name: state.get("config_sha256") for name, state in taken["gateways"].items()}
        return {name: digest for name, digest in self.left.items() if found.get(name) != self.original(name)}

    def edited_since(self, taken: Mapping[str, Any]) -> dict[str, str]:
        """Files that are neither as the incident left them nor as they were before it, each with what was found."""
        found = {name: state.get("config_sha256") for name, state in taken["gateways"].items()}
        return {
            name: f"expected its file as the incident left it ({left[:12]}) or as before it "
            f"({(self.original(name) or 'unknown')[:12]}), found {(found[name] or 'none')[:12]}"
            for name, left in self.left.items()
            if name in found and found[name] not in (left, self.original(name))
        }
