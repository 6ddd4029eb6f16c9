"""The ordered server list in a vendor's file, by `sed`, `grep` and `diff` on its host. Pure.

The commands do what playbooks/onhost/vendor_file.py does, in words short enough to be typed from paper; the tests hold
the two together, byte for byte, over every format. A file that is laid out otherwise gives a difference that does not
look as printed, before anything is written. None: this change, or this file, is made in an editor.
"""

import re
from collections.abc import Sequence
from shlex import quote

from orchestrator.model.topology import ConfigFile, ListFormat

_GAP = " *"
_ANY = "[[:space:]]*"  # also over lines
_SED = re.compile(r"([\\.*\[\]^$/])")
_READABLE = frozenset({"utf-8", "utf-8-sig", "ascii", "gbk", "gb2312", "gb18030"})  # ASCII stands in them as itself


def edit(config: ConfigFile, before: Sequence[str], after: Sequence[str]) -> str | None:
    """`sed` with its scripts, to which the file's name is added: `before` becomes `after`. None: in an editor."""
    if list(before) == list(after):
        return "cat"
    if not _is_plain(config) or len(after) > len(before):
        return None
    scripts = _scripts(config, before, after)
    if scripts is None:
        return None
    words = "sed -z" if config.format is ListFormat.JSON else "sed"
    return " ".join([words, *(f"-e {quote(script)}" for script in scripts)])


def _scripts(config: ConfigFile, before: Sequence[str], after: Sequence[str]) -> list[str] | None:
    match config.format:
        case ListFormat.INI | ListFormat.PROPERTIES if "{n}" not in (config.key or ""):
            return _whole_value(config, before, after)
        case ListFormat.INI | ListFormat.PROPERTIES | ListFormat.DELIMITED:
            return _by_place(config, before, after)
        case ListFormat.XML:
            return _by_element(config, before, after)
        case ListFormat.JSON:
            return _by_member(config, before, after)


def show(config: ConfigFile, endpoints: Sequence[str]) -> str:
    """`grep` or `sed` that prints the list, to which the file's name is added."""
    addresses = dict.fromkeys(endpoint.rpartition(":")[0] for endpoint in endpoints)
    by_address = " ".join(["grep -anF", *(f"-e {address}" for address in addresses)])
    if not _is_plain(config):
        return by_address
    match config.format:
        case ListFormat.INI | ListFormat.PROPERTIES:
            key = _escaped(config.key or "").replace("{n}", "[0-9]")
            return f"grep -an {quote(f'^{_GAP}{key}')}"
        case ListFormat.XML:
            return f"grep -an {quote(f'<{config.item}')}"
        case ListFormat.DELIMITED:
            return f"sed -n {quote(_region(config) + 'p')}"
        case ListFormat.JSON:
            return by_address


def as_written(config: ConfigFile, endpoints: Sequence[str]) -> tuple[str, ...]:
    """What of each endpoint can be read in the file."""
    if config.format in (ListFormat.XML, ListFormat.JSON) and not _holds_strings(config):
        return tuple(endpoint.rpartition(":")[0] for endpoint in endpoints)
    return tuple(_entry(config, endpoint) for endpoint in endpoints)


def _is_plain(config: ConfigFile) -> bool:
    """Whether ASCII patterns find what they mean: one byte per character, and nothing else to look for."""
    texts = (config.section, config.key, config.item, config.begin, config.end, config.entry, *config.attributes)
    return config.encoding.lower() in _READABLE and all(text is None or text.isascii() for text in texts)


def _holds_strings(config: ConfigFile) -> bool:
    """JSON: a list of strings, unless the profile names members of objects."""
    return config.format is ListFormat.JSON and "attributes" not in config.model_fields_set


def _entry(config: ConfigFile, endpoint: str) -> str:
    address, _, port = endpoint.rpartition(":")
    return config.entry.replace("{address}", address).replace("{port}", port)


def _escaped(text: str) -> str:
    """As a basic regular expression between slashes."""
    return _SED.sub(r"\\\1", text)


def _region(config: ConfigFile) -> str:
    """The lines among which the list stands; empty: all."""
    match config.format:
        case ListFormat.INI:
            return rf"/^{_GAP}\[{_escaped(config.section or '')}\]/,/^{_GAP}\[/"
        case ListFormat.DELIMITED:
            return f"/^{_escaped(config.begin or '')}/,/^{_escaped(config.end or '')}/"
        case _:
            return ""


def _by_place(config: ConfigFile, before: Sequence[str], after: Sequence[str]) -> list[str] | None:
    """One entry per line: the first lines get the new entries, the lines left over go.

    From the last to the first, so that no new entry is taken for an old one; an order that is turned round is not
    for `sed`.
    """
    if any(new in before[:place] for place, new in enumerate(after)):
        return None
    old = [_entry(config, endpoint) for endpoint in before]
    new = [_entry(config, endpoint) for endpoint in after]
    gone = [f"/{_escaped(text)}/d" for text in old[len(new) :]]
    swaps = [f"s/{_escaped(was)}/{_replacement(text)}/" for was, text in zip(old, new, strict=False) if was != text]
    region = _region(config)
    lines = [*gone, *reversed(swaps)]
    return [f"{region}{{", *lines, "}"] if region else lines


def _whole_value(config: ConfigFile, before: Sequence[str], after: Sequence[str]) -> list[str] | None:
    """All entries in one value: what stands between two entries stays."""
    if len(before) > 9:  # noqa: PLR2004 - sed knows nine groups
        return None
    between = rf"\({_GAP}{_escaped(config.separator.strip())}{_GAP}\)"
    found = between.join(_escaped(_entry(config, endpoint)) for endpoint in before)
    entries = [_replacement(_entry(config, endpoint)) for endpoint in after]
    wanted = "".join(f"\\{place}{text}" if place else text for place, text in enumerate(entries))
    script = f"/^{_GAP}{_escaped(config.key or '')}/s/{found}/{wanted}/"
    region = _region(config)
    return [f"{region}{{", script, "}"] if region else [script]


def _by_element(config: ConfigFile, before: Sequence[str], after: Sequence[str]) -> list[str] | None:
    """One element per line, which keeps whatever else stands in it."""
    fates = _fates(before, after)
    if fates is None:
        return None
    scripts = []
    for endpoint, new in sorted(fates.items(), key=lambda item: item[1] is not None):
        address, port = (f"{name} *= *." for name in config.attributes)
        here = [f"{address}{_escaped(endpoint.rpartition(':')[0])}[^0-9]", f"{port}{endpoint.rpartition(':')[2]}[^0-9]"]
        find = "".join(f"/{part}/{{" for part in here)
        act = "d" if new is None else _attributes(config, endpoint, new)
        scripts += [f"/<{config.item}/{{", find, *act.split("\n"), "}}}"]
    return scripts


def _attributes(config: ConfigFile, old: str, new: str) -> str:
    pairs = zip(config.attributes, old.rpartition(":")[::2], new.rpartition(":")[::2], strict=True)
    return "\n".join(
        rf"s/\({name} *= *.\){_escaped(was)}/\1{_replacement(value)}/" for name, was, value in pairs if was != value
    )


def _by_member(config: ConfigFile, before: Sequence[str], after: Sequence[str]) -> list[str] | None:
    """JSON, read as one line: an entry goes with the comma that follows it, the last with the one before it."""
    fates = _fates(before, after)
    if fates is None:
        return None
    scripts = []
    for endpoint, new in sorted(fates.items(), key=lambda item: item[1] is not None):
        if new is None:
            found = _member(config, endpoint)
            scripts += [f"s/{found}{_ANY},{_ANY}//", f"s/,{_ANY}{found}//"]
        elif _holds_strings(config):
            scripts.append(f"s/{_member(config, endpoint)}/{_replacement(_string(config, new))}/")
        else:
            address, _, port = new.rpartition(":")
            scripts.append(f"s/{_member(config, endpoint, hold=True)}/\\1{_replacement(address)}\\2{port}/")
    return scripts


def _string(config: ConfigFile, endpoint: str) -> str:
    return f'"{_entry(config, endpoint)}"'


def _member(config: ConfigFile, endpoint: str, *, hold: bool = False) -> str:
    """The entry, to be found; `hold`: up to its port, with what stands round address and port in groups."""
    if _holds_strings(config):
        return _escaped(_string(config, endpoint))
    first, second = config.attributes
    address, port = _escaped(endpoint.rpartition(":")[0]), endpoint.rpartition(":")[2]
    before, between = f'{{[^{{}}]*"{first}" *: *"', f'"[^{{}}]*"{second}" *: *"*'
    if hold:
        return rf"\({before}\){address}\({between}\){port}"
    return f"{before}{address}{between}{port}[^{{}}]*}}"


def _fates(before: Sequence[str], after: Sequence[str]) -> dict[str, str | None] | None:
    """What becomes of each entry that does not stay: another endpoint, or None where it goes.

    None: the new list is not the old one with entries left out and put in their places.
    """
    fresh = [endpoint for endpoint in after if endpoint not in before]
    left = [endpoint for endpoint in before if endpoint not in after]
    fates: dict[str, str | None] = {old: fresh[place] if place < len(fresh) else None for place, old in enumerate(left)}
    result = [fates.get(endpoint, endpoint) for endpoint in before]
    return fates if [item for item in result if item] == list(after) else None


def _replacement(text: str) -> str:
    return re.sub(r"([\\/&])", r"\\\1", text)
