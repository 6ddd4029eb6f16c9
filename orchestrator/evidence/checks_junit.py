"""The checks of one phase as JUnit, made from the record alone.

pytest's own file stays in the run's folder: it holds whatever an assertion printed, the ids of its parameters, paths
of this machine. What stands here stands in the journal too, where its chain protects it.
"""

from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from orchestrator.model.event import CheckRecord, CheckResult


def junit(phase: str, records: Sequence[CheckRecord]) -> bytes:
    """The same records give the same bytes. Abnormal is a failure, could not look an error, a legal gap skipped."""
    suite = ET.Element("testsuite", _counts(phase, records))
    for record in records:
        _add(suite, record)
    root = ET.Element("testsuites", name="drillctl")
    root.append(suite)
    ET.indent(root)
    text: str = ET.tostring(root, "unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()


def _counts(phase: str, records: Sequence[CheckRecord]) -> dict[str, str]:
    kinds = [_kind(record) for record in records]
    return {
        "name": phase,
        "tests": str(len(records)),
        "failures": str(kinds.count("failure")),
        "errors": str(kinds.count("error")),
        "skipped": str(kinds.count("skipped")),
        "time": f"{sum(record.duration_s for record in records):.4f}",
    }


def _kind(record: CheckRecord) -> str | None:
    if record.result is CheckResult.ABNORMAL:
        return "failure"
    if record.could_not_look:
        return "error"
    return None if record.result is CheckResult.NORMAL else "skipped"


def _add(suite: ET.Element, record: CheckRecord) -> None:
    case = ET.SubElement(suite, "testcase", classname=record.check, name=record.target, time=f"{record.duration_s:.4f}")
    properties = ET.SubElement(case, "properties")
    told = {"host": record.host, "result": record.result.value, "expected": record.expected, "found": record.found}
    for name, value in told.items():
        ET.SubElement(properties, "property", name=name, value=_of_xml(value))
    kind = _kind(record)
    if kind:
        ET.SubElement(case, kind, message=_of_xml(f"expected {record.expected}, found {record.found}"))


def _of_xml(text: str) -> str:
    """XML has no place for control characters."""
    return "".join(char if char in "\t\n" or char >= " " else "�" for char in text)


def phases(records: Iterable[CheckRecord]) -> dict[str, list[CheckRecord]]:
    """The records by phase, in their order."""
    found: dict[str, list[CheckRecord]] = {}
    for record in records:
        found.setdefault(record.phase, []).append(record)
    return found
