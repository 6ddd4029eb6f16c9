"""Folders of closed runs, as a run leaves them, with the journal that belongs to them."""

import hashlib
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.evidence.collect import collect
from orchestrator.loader.site import load_site
from orchestrator.model.event import CheckRecord, Event, EventKind
from orchestrator.model.plan import FaultSource, Phase
from orchestrator.model.record import RunRecord
from orchestrator.report.assemble import assemble
from tests.judge.story import Line, Story, observed, plan, record, topology
from tests.support.sites import ROOT

GATEWAY = "nq-trade-1"
DEFINITION = ROOT / "drills/single-centre-failure.yml"


def configuration(when: str, server: str = "172.60.101.30:7043") -> str:
    return f"drillctl: ini in utf-8, byte order mark none, lines CRLF 0, LF 2, CR 0\n# {when}\nServer1 = {server}\n"


@dataclass
class Run:
    """One run: `story` is what happened, `texts` are its configurations by when."""

    folder: Path
    story: Story = field(default_factory=Story)
    texts: dict[str, str] = field(
        default_factory=lambda: {
            "before": configuration("x"),
            "during": configuration("x", "172.50.101.30:7043"),
            "after": configuration("x"),
        }
    )

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        for file in load_site(ROOT / "inventory/example").files:  # what a run copies, and nothing else
            copy = self.folder / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
        for when, text in self.texts.items():
            path = self.folder / "configurations" / GATEWAY / f"{when}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            digests = {GATEWAY: hashlib.sha256(text.encode()).hexdigest()}
            self.story.snapshots[when] = {"configurations": digests, "clock_offset_s": {"gw-a1": 0.5}}
        seen = observed(self.story.plan)
        lines = [json.dumps({"sample": item.model_dump(mode="json")}) for item in seen.samples]
        (self.folder / "samples.jsonl").write_text("".join(f"{line}\n" for line in lines))
        measured: Line = (39.2, EventKind.MEASURED, {"samples": len(lines), "routes": 0, "stamps": 0}, None, None)
        last = self.story.plan.steps[-1].id
        self.story.after = {**self.story.after, last: [*self.story.after.get(last, ()), measured]}

    def events(self) -> list[Event]:
        return self.story.events()

    def record(self, **more: Any) -> RunRecord:
        named = {"operator": "li", "fault_source": FaultSource.TWIN, "versions": {"drillctl": "1"}, **more}
        return assemble("r1", self.story.plan, topology(), self.events(), observed(self.story.plan), **named)

    def collect(self, pack: Path, **more: Any) -> Path:
        collect(self.folder, pack, self.record(), self.events(), definition=DEFINITION, **more)
        return pack


def checked(*records: CheckRecord) -> Story:
    """A run whose checks after the switch were these, beside one good one."""
    return Story(checks={Phase.VERIFYING: [record(Phase.VERIFYING, "path", GATEWAY), *records]}, plan=plan())


def bytes_of(pack: Path) -> dict[str, bytes]:
    return {path.relative_to(pack).as_posix(): path.read_bytes() for path in pack.rglob("*") if path.is_file()}
