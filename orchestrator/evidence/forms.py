"""The forms in which one secret value may stand in a text or a file. Pure.

What is not looked for: a value cut in two, encrypted, or drawn as a picture.
"""

import base64
import html
import json
import re
from collections.abc import Iterator

# Our choice: a shorter value (a word, a flag) stands in every file by chance, and nothing could be sealed any more.
LEAST = 6
_ENCODINGS = ("utf-8", "gb18030")  # GB 18030 holds GBK
_ALIGNMENTS = (0, 1, 2)  # where a value may begin within the three bytes that base64 takes at a time
_BEGINS = (0, 2, 3)  # digits before the first that depends on the value alone


def plain(secret: str) -> dict[str, str]:
    """As it stands, or escaped, in a text. form → text; the raw value comes first."""
    from urllib.parse import quote, quote_plus  # noqa: PLC0415 - most verbs know no secret

    escaped = json.dumps(secret, ensure_ascii=False)[1:-1]
    found = {
        "raw": secret,
        "json": escaped,
        "json ascii": json.dumps(secret)[1:-1],
        "json in json": json.dumps(escaped, ensure_ascii=False)[1:-1],
        "python": repr(secret)[1:-1],
        "url": quote(secret, safe=""),
        "url path": quote(secret),
        "url form": quote_plus(secret),
        "html": html.escape(secret),
        "html digits": html.escape(secret).replace("&quot;", "&#34;").replace("&#x27;", "&#39;"),
        "xml": html.escape(secret, quote=False),
        "xml attribute": html.escape(secret, quote=False).replace('"', "&quot;"),
        "xml digits": html.escape(secret, quote=False).encode("ascii", "xmlcharrefreplace").decode(),
        "xml quoted digits": html.escape(secret).encode("ascii", "xmlcharrefreplace").decode(),
        "pdf": re.sub(r"([()\\])", r"\\\1", secret),
    }
    found |= {f"{name} lower": _lower_escapes(found[name]) for name in ("url", "url path", "url form")}
    return _each_once(found)


def coded(secret: str) -> dict[str, str]:
    """Its bytes in hex and base64; line ends inside are not looked for, take them out before."""
    found: dict[str, str] = {}
    for encoding in (*_ENCODINGS, "utf-16-le", "utf-16-be"):
        data = _bytes(secret, encoding)
        found[f"hex of {encoding}"] = data.hex()
        found[f"HEX of {encoding}"] = data.hex().upper()
        for alignment in _ALIGNMENTS:
            text = _base64(data, alignment)
            found[f"base64 of {encoding}, {alignment}"] = text
            found[f"base64url of {encoding}, {alignment}"] = text.translate(str.maketrans("+/", "-_"))
    return _each_once(found)


def raw_bytes(secret: str) -> Iterator[tuple[str, bytes]]:
    """(form, bytes) of its plain forms in every encoding."""
    seen: set[bytes] = set()
    for form, text in plain(secret).items():
        for encoding in _ENCODINGS:
            yield from _new(seen, f"{form} in {encoding}", _bytes(text, encoding))
    for form in ("utf-16-le", "utf-16-be"):
        data = _bytes(secret, form)
        # An ASCII value is the same in both, but for the zero at its end or beginning.
        yield from _new(seen, "utf-16", data.strip(b"\0") if secret.isascii() else data)


def _new(seen: set[bytes], form: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    if data not in seen:
        seen.add(data)
        yield form, data


def is_number(secret: str) -> bool:
    """Digits stand by chance within longer numbers and digests: such a value counts only where it stands alone."""
    return secret.isascii() and secret.isdigit()


ALONE_BEFORE = r"(?<![0-9A-Za-z])(?<![0-9]\.)"
ALONE_AFTER = r"(?![0-9A-Za-z]|\.[0-9])"


def _base64(data: bytes, alignment: int) -> str:
    """The digits that are the same whatever stands before and after."""
    digits = base64.b64encode(bytes(alignment) + data).decode()
    return digits[_BEGINS[alignment] : (alignment + len(data)) * 8 // 6]


def _bytes(text: str, encoding: str) -> bytes:
    return text.encode(encoding, "surrogatepass" if encoding.startswith("utf") else "replace")


def _lower_escapes(text: str) -> str:
    return re.sub(r"%[0-9A-F]{2}", lambda match: match.group().lower(), text)


def _each_once(found: dict[str, str]) -> dict[str, str]:
    first: dict[str, str] = {}
    for form, text in found.items():
        first.setdefault(text, form)
    return {form: text for text, form in first.items()}
