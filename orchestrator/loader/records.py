"""`records.yml` of a site → Records, held against its topology. It is no part of the inventory's digest."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from orchestrator.errors import DefinitionError, Problem
from orchestrator.loader.document import Document, FieldPath, parse, read
from orchestrator.model.records import RECORDS, Records
from orchestrator.model.topology import LineKind, Topology
from orchestrator.rules.rulebook import LIVE_RULES, RULES

_PAST = ("_on", "since")  # how fields end that say when something was done


def load_records(folder: Path, topology: Topology, today: date) -> Records:
    """Read and check it; without the file nothing is on record. DefinitionError: file, line and field of every
    problem.
    """
    path = folder / RECORDS
    if not path.is_file():
        return Records()
    document = read(path)
    records = parse(Records, document)
    problems = [*_names(records, topology), *_waivers(records), *_to_come(document, today)]
    if records.platform and records.platform.export.file and not (folder / records.platform.export.file).is_file():
        file = records.platform.export.file
        problems.append(Problem(("platform", "export", "file"), f"expected a file {folder / file}, found none"))
    if problems:
        raise DefinitionError([document.located(problem) for problem in problems])
    return records


def _names(records: Records, topology: Topology) -> Iterator[Problem]:
    """Whatever an entry is about is in the topology."""
    known = {
        "gateway": topology.gateway.keys(),
        "line": topology.line.keys(),
        "satellite line": {line.id for line in topology.lines if line.kind is not LineKind.TERRESTRIAL},
        "host or router": topology.host.keys() | topology.router.keys(),
        "certificate": {item.id for item in topology.certificates},
        "person": {person.id for person in topology.people.people},
    }
    for what, path, name in [
        *_of_gateways(records),
        *_of_lines(records),
        *_of_devices(records),
        *_of_platform(records),
    ]:
        if name not in known[what]:
            file = "people.yml" if what == "person" else "topology.yml"
            names = ", ".join(sorted(known[what])) or "none"
            yield Problem(path, f"expected a {what} of {file} ({names}), found {name!r}")


_Named = Iterator[tuple[str, FieldPath, str]]  # what it is to be, where it is named, its name


def _of_gateways(records: Records) -> _Named:
    for index, item in enumerate(records.software.installed):
        yield "gateway", ("software", "installed", index, "gateway"), item.gateway
    for index, found in enumerate(records.installations):
        for at, name in enumerate(found.gateways):
            yield "gateway", ("installations", index, "gateways", at), name
    for index, test in enumerate(records.certificate_tests):
        yield "certificate", ("certificate_tests", index, "certificate"), test.certificate


def _of_lines(records: Records) -> _Named:
    for index, item in enumerate(records.lines):
        yield "line", ("lines", index, "line"), item.line
    for at, name in enumerate(records.hosting.lines if records.hosting else ()):
        yield "line", ("hosting", "lines", at), name
    for index, licence in enumerate(records.radio_licences):
        yield "satellite line", ("radio_licences", index, "line"), licence.line


def _of_devices(records: Records) -> _Named:
    covered = [("log_archives", index, item.devices) for index, item in enumerate(records.log_archives)]
    covered += [("assessments", index, item.devices) for index, item in enumerate(records.assessments)]
    for kind, index, devices in covered:
        for at, name in enumerate(devices):
            yield "host or router", (kind, index, "devices", at), name
    for index, archive in enumerate(records.log_archives):
        if archive.host:
            yield "host or router", ("log_archives", index, "host"), archive.host


def _of_platform(records: Records) -> _Named:
    if records.platform is None:
        return
    for index, account in enumerate(records.platform.accounts):
        yield "person", ("platform", "accounts", index, "person"), account.person
    for theirs, ours in records.platform.export.certificates.items():
        yield "certificate", ("platform", "export", "certificates", theirs), ours


def _waivers(records: Records) -> Iterator[Problem]:
    """A waiver of a rule that does not exist would bear nothing, unnoticed."""
    rules = {rule.id for rule in (*RULES, *LIVE_RULES)}
    for index, waiver in enumerate(records.waivers):
        if waiver.rule not in rules:
            message = f"expected a rule of the audit (docs/reference/audit-rules.md), found {waiver.rule!r}"
            yield Problem(("waivers", index, "rule"), message)


def _to_come(document: Document, today: date) -> Iterator[Problem]:
    """What was done was done by today: a wrong year would make a statement recent for ever."""
    for path, value in _values(document.data, ()):
        if type(value) is date and str(path[-1]).endswith(_PAST) and value > today:
            yield Problem(path, f"expected a day up to today ({today}), found {value}")


def _values(node: object, path: FieldPath) -> Iterator[tuple[FieldPath, object]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _values(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _values(value, (*path, index))
    else:
        yield path, node
