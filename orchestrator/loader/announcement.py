"""An announcement's file (`announcement.yml` of a site, or another) → Announcement, checked against the site."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from orchestrator.errors import DefinitionError, Problem
from orchestrator.loader.document import parse, read
from orchestrator.model.announcement import Announced, AnnouncedPhase, Announcement
from orchestrator.model.topology import Topology

FILE = "announcement.yml"


def load_announcement(path: Path, topology: Topology) -> Announcement:
    """Read and check it. DefinitionError: file, line and field of every problem."""
    document = read(path)
    found = parse(Announcement, document)
    problems = [
        Problem(("phases", index, "cut", *problem.path), problem.message)
        for index, phase in enumerate(found.phases)
        for problem in _unknown(phase, topology)
    ]
    if problems:
        raise DefinitionError([document.located(problem) for problem in problems])
    return found


def load_announced(path: Path, topology: Topology, phase: str | None) -> Announced:
    """The announcement with the cut phase that is to be observed. DefinitionError: none, or several and none chosen."""
    found = load_announcement(path, topology)
    known = [item.id for item in found.cuts]
    if not known:
        raise DefinitionError(f"{path}: expected a phase of kind cut, found none: there is nothing to observe")
    if phase is None and len(known) > 1:
        raise DefinitionError(f"--phase: expected one of {', '.join(known)} ({path}), found none chosen")
    if phase is not None and phase not in known:
        raise DefinitionError(f"--phase: expected a phase of kind cut ({', '.join(known)}; {path}), found {phase!r}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Announced(announcement=found, digest=digest, phase=phase or known[0])


def _unknown(phase: AnnouncedPhase, topology: Topology) -> Iterator[Problem]:
    if phase.cut is None:
        return
    for field, known in (("centre", topology.centre), ("carrier", topology.carrier), ("line", topology.line)):
        name = getattr(phase.cut, field)
        if name is not None and name not in known:
            yield Problem((field,), f"expected a {field} of this site ({', '.join(known)}), found {name!r}")
