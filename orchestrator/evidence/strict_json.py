"""JSON that every reader understands alike: each key once, no NaN, and the bytes that this product writes."""

import json
from typing import Any

from orchestrator.model.plan import canonical_json


class NotStrict(Exception):
    """Two readers may read two things; the message says what was found."""


def strict(content: bytes) -> Any:
    """The value. NotStrict: a key twice, NaN, not UTF-8, not JSON."""
    try:
        return json.loads(content, object_pairs_hook=_each_key_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise NotStrict(f"expected JSON with each key once, found: {error}") from error


def strict_line(line: bytes) -> dict[str, Any]:
    """An object in canonical form. NotStrict: another form of it, or no object."""
    found = strict(line)
    if not isinstance(found, dict) or canonical_json(found) != line:
        raise NotStrict("expected canonical JSON (sorted keys, no blanks), found another form")
    return found


def strict_document(content: bytes) -> dict[str, Any]:
    """An object, indented and sorted as `run.json` is written."""
    found = strict(content)
    text = json.dumps(found, sort_keys=True, ensure_ascii=False, indent=2) + "\n"
    if not isinstance(found, dict) or text.encode() != content:
        raise NotStrict("expected sorted keys, two blanks of indent and LF, found another form")
    return found


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(name for name in names if names.count(name) > 1)!r} twice")
    return found


def _no_constant(text: str) -> None:
    raise ValueError(f"{text}, which is no JSON number")
