"""Keyed digests in place of values: that something changed stays provable, what it was is not told.

Each run has a key of its own, `redaction.key` in the run's folder, mode 600: never in a pack, and the same after an
interruption. A digest is `hmac:` and the first 16 hex digits of HMAC-SHA256 over name, a zero byte and value, as the
on-host program makes it (`playbooks/onhost/vendor_redaction.py`). Whoever has the key can check a value against it.
"""

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from orchestrator.errors import StepFailed
from orchestrator.evidence.disk import folder_to_disk

KEY_FILE = "redaction.key"
_KEY_BYTES = 32
_DIGITS = 16  # hex, 64 bits; our choice

Known = Callable[[tuple[str, ...], str], bool]  # (path of a field, its value) → whether it may be told


def run_key(folder: Path) -> bytes:
    """The run's key, made once. StepFailed: it can be neither read nor made."""
    path = folder / KEY_FILE
    try:
        if not path.exists():
            _make(path)
        return bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise StepFailed(f"expected the run's redaction key in {path}, found: {error}; nothing was begun") from error


def _make(path: Path) -> None:
    """Whole or not at all, and never a second one: two orchestrators of one run must not have two keys."""
    mine = path.with_name(f".{KEY_FILE}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_bytes(_KEY_BYTES).hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(mine)
    except FileExistsError:
        pass
    finally:
        mine.unlink()
    folder_to_disk(path.parent)


def key_of(run: bytes, subject: str) -> bytes:
    """The key of one gateway (or file): a host that knows it can tell nothing of another's values."""
    return hmac.new(run, subject.encode(), hashlib.sha256).digest()


def digest(key: bytes, name: str, value: str) -> str:
    """What stands in place of a value."""
    message = name.encode("utf-8", "surrogateescape") + b"\0" + value.encode("utf-8", "surrogateescape")
    return "hmac:" + hmac.new(key, message, hashlib.sha256).hexdigest()[:_DIGITS]


def all_known(_path: tuple[str, ...], _value: str) -> bool:
    """Of a file of which a model knows every field: comments only become digests."""
    return True


def redacted_yaml(text: str, key: bytes, known: Known) -> str:
    """The same YAML with the values that are not known, and every comment, as digests; all else byte for byte.

    ValueError: it is no YAML.
    """
    try:
        spans = _spans(text)
        values = dict(reversed(list(_values(yaml.compose(text, Loader=yaml.SafeLoader), (), key, known))))
    except yaml.YAMLError as error:
        raise ValueError("expected YAML, found what cannot be read as such") from error
    hidden = [(start, end, values[end]) for start, end in spans if end in values]
    told = [(start, end) if end in values else (_past_header(text, start), end) for start, end in spans]
    for start, end, new in sorted([*hidden, *_comments(text, told, key)], reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _values(node: yaml.Node | None, path: tuple[str, ...], key: bytes, known: Known) -> Iterator[tuple[int, str]]:
    """(where it ends, digest) of each value that may not be told. An alias stays one, under its anchor's name."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            yield from _values(value, (*path, str(name.value)), key, known)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _values(item, path, key, known)
    elif isinstance(node, yaml.ScalarNode) and not known(path, node.value):
        ends = "\n" if node.style in ("|", ">") else ""
        yield node.end_mark.index, digest(key, path[-1] if path else "", node.value) + ends


def _spans(text: str) -> list[tuple[int, int]]:
    """Where scalars stand, without their anchors and tags: these stay, and a # in a scalar begins no comment."""
    tokens = yaml.scan(text, Loader=yaml.SafeLoader)
    return [(token.start_mark.index, token.end_mark.index) for token in tokens if isinstance(token, yaml.ScalarToken)]


def _past_header(text: str, start: int) -> int:
    """A block (| or >) may have a comment behind its sign."""
    return text.find("\n", start) if text[start] in "|>" else start


def _comments(text: str, scalars: list[tuple[int, int]], key: bytes) -> Iterator[tuple[int, int, str]]:
    position = 0
    for start, end in [*scalars, (len(text), len(text))]:
        for match in re.compile(r"#([^\r\n]*)").finditer(text, position, start):
            comment = match.group(1).strip()
            if comment:
                yield match.start(), match.end(), "# " + digest(key, "", comment)
        position = max(position, end)
