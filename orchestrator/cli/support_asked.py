"""What `drillctl support-bundle` is asked for, as typed: which gateways, how much, since when, on whose word."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from orchestrator.adapters.clock import SystemClock
from orchestrator.cli.evidence.keeping import said
from orchestrator.errors import DefinitionError, Refused
from orchestrator.journal import RunState
from orchestrator.loader.site import LoadedSite
from orchestrator.model.support import Limits
from orchestrator.model.topology import Gateway
from orchestrator.twin import Twin, ensure_sealed

_HOST_DEADLINE_S = 120.0  # our choice: 20 MB over a line of 2 Mbps takes 80 s
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_SPANS = {"m": 60, "h": 3600, "d": 86400}
_LEAST = 1 << 16  # our choice: less than this for a host is a slip of the finger


@dataclass(frozen=True)
class Consent:
    """Who answers for contacting the hosts, and why."""

    by: str
    reason: str


def limits_of(chosen: Sequence[Gateway], max_size: str, max_file: str) -> Limits:
    """Hosts share what is allowed in all equally: so what one gives does not depend on how fast others were."""
    whole, most = _size("--max-size", max_size), _size("--max-file", max_file)
    share = whole // len({item.host for item in chosen})
    if min(share, most) < _LEAST:
        raise DefinitionError(
            f"--max-size {max_size}, --max-file {max_file}: expected at least {in_bytes(_LEAST)} for each host and "
            f"file, found {in_bytes(min(share, most))}; allow more, or choose fewer gateways"
        )
    return Limits(whole=whole, host=share, file=min(most, share), host_deadline_s=_HOST_DEADLINE_S)


def chosen_of(site: LoadedSite, names: str | None, run: RunState | None) -> list[Gateway]:
    """In the order of the topology."""
    known = site.topology.gateways
    if names is None and run is None:
        raise DefinitionError("support-bundle: expected a RUN or --gateways, found neither; `--gateways all` takes all")
    if names == "all":
        return list(known)
    asked = [change.gateway for change in run.plan.affected] if names is None and run else (names or "").split(",")
    unknown = sorted({name for name in asked if not any(name in (item.id, item.number) for item in known)})
    if unknown:
        there = ", ".join(item.id for item in known)
        raise DefinitionError(f"--gateways: expected gateways of the site ({there}), found {', '.join(unknown)!r}")
    if not asked:
        raise DefinitionError("expected a run that affected gateways, found none; name some with --gateways")
    return [item for item in known if {item.id, item.number} & set(asked)]


def consent_of(site: LoadedSite, twin: Twin | None, by: str | None, reason: str | None) -> Consent:
    """No host of a real site is contacted unless a person by name says so, and why."""
    people = site.topology.people.people
    if by is not None and by not in {person.id for person in people}:
        known = ", ".join(person.id for person in people) or "none"
        raise DefinitionError(f"--by {by}: expected a person of people.yml ({known}), found no such")
    text = said("--reason", reason) if reason is not None else ""
    if twin is not None:
        ensure_sealed()
        if twin.site_digest != site.digest:
            raise Refused(
                "OTHER_SITE",
                f"expected a twin of {site.folder} as it is now, found {twin.name}, built from another inventory",
            )
    elif by is None or not text:
        raise Refused(
            "NOT_APPROVED",
            "hosts of a real site are contacted only when a person answers for it by name; expected --by ID and "
            "--reason TEXT, found "
            f"{'neither' if by is None and not text else 'one of them'}; nothing was contacted",
        )
    return Consent(by or "", text)


def _size(option: str, text: str) -> int:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([KMG]?)B?", text.strip().upper())
    if match is None:
        raise DefinitionError(f"{option} {text}: expected a size as 500K, 20M or 1G, found {text!r}")
    return int(float(match[1]) * _UNITS[match[2]])


def since_of(text: str, zone: ZoneInfo) -> float:
    """Seconds since the epoch."""
    now = SystemClock().now()
    span = re.fullmatch(r"([0-9]+)([mhd])", text)
    try:
        at = now - int(span[1]) * _SPANS[span[2]] if span else _moment(text, zone)
    except ValueError as error:
        raise DefinitionError(f"--since {text}: expected 90m, 12h, 3d or 2026-11-21T08:30, found {text!r}") from error
    if at >= now:
        raise DefinitionError(f"--since {text}: expected a time that is past, found one that is still to come")
    return at


def _moment(text: str, zone: ZoneInfo) -> float:
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=zone)).timestamp()


def in_bytes(size: float) -> str:
    for unit in ("B", "KB", "MB"):
        if size < 1 << 10:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1 << 10
    return f"{size:.1f} GB"
