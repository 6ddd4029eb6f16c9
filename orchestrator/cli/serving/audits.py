"""Audits at the site's interval, and a notice where one finds what the last did not."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pydantic import ValidationError

from orchestrator.adapters.clock import SystemClock
from orchestrator.cli.auditing import audited
from orchestrator.cli.serving.desk import Desk
from orchestrator.cli.serving.policy import policy_of
from orchestrator.evidence.disk import replace
from orchestrator.report.site_notices import From, audit_notice
from orchestrator.rules.audits import Audit, clauses_of, new_findings

_DIGITS = 16  # hexadecimal; our choice: no two audits of a site meet


@dataclass(frozen=True)
class Audits:
    """The last one is kept in the state folder: `audit.json`."""

    desk: Desk

    @property
    def _kept(self) -> Path:
        return self.desk.folder / "audit.json"

    def act(self) -> float | None:
        """Audit if it is time, also where the clock was put back behind the last one; when the next is due."""
        every_s, now, last = (
            policy_of(self.desk.site_folder).audit_every_hours * 3600,
            SystemClock().now(),
            self._last(),
        )
        if last is not None and last.at <= now < last.at + every_s:
            return last.at + every_s
        self._audit(now, last)
        return now + every_s

    def _last(self) -> Audit | None:
        """None: there was none, or nobody can read it; then everything is new."""
        try:
            return Audit.model_validate_json(self._kept.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def _audit(self, now: float, last: Audit | None) -> None:
        """The notice first, by a name that tells what it was compared with: after a kill it is the same one."""
        site = self.desk.places.site(self.desk.site)
        done = Audit(
            at=now,
            site=site.topology.site.name,
            inventory_digest=site.digest,
            findings=audited(self.desk.places, site).findings,
        )
        found = new_findings(last, done)
        text = f"audit: {done.errors} errors, {len(found)} new findings"
        if found:
            named = sha256("\n".join([f"{last.at if last else None}", *map(repr, found)]).encode()).hexdigest()[
                :_DIGITS
            ]
            source = From(done.site, site.topology.site.timezone, now)
            self.desk.once(
                f"audit-{named}",
                f"{text} ({', '.join(clauses_of(found))}); `drillctl audit` tells all",
                lambda: audit_notice(source, f"audit-{named}", found, done.errors),
            )
        else:
            self.desk.say(text)
        self.desk.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace(self._kept, done.model_dump_json(indent=1).encode())
