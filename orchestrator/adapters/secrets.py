"""Which values must be told nowhere, and a mask that takes them out of texts at the borders.

A value is known to be secret by its name (an Ansible variable, an environment variable), because a vault held it,
because it stands in a file that the site names, or because it is a private key. It is masked before it reaches the
journal: the journal's chain must never need a redaction. A value shorter than `forms.LEAST` characters, or that is
part of what must be told (a gateway's number, a host's name), cannot be kept secret and is left out.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.adapters import vault
from orchestrator.evidence import forms
from orchestrator.loader.site import LoadedSite
from orchestrator.model.event import CheckResult, Outcome
from orchestrator.model.plan import Phase, Verb
from orchestrator.model.topology import Topology

MASKED = "[masked]"
_NAMED = re.compile(
    r"pass(word|wd|phrase)?(_|$)|passw|pwd|secret|token|credential|api_?key|(private|access|auth|become|vault)_?(key|pass)"
    r"|(^|_)pin(_|$)|_key$|口令|密码|密钥",
    re.IGNORECASE,
)
_NAMES_A_FILE = re.compile(r"_(file|path|dir|sock)$", re.IGNORECASE)
_VAULT_PASSWORD = "ANSIBLE_VAULT_PASSWORD_FILE"  # noqa: S105 - the variable's name
_KEY_LINES = 4  # our choice: of a private key so many lines are looked for; one of them is enough to find it
_PRIVATE = "PRIVATE KEY-----"

Data = Any  # what JSON can hold


def known_secrets(site: LoadedSite, environment: Mapping[str, str], files: Iterable[Path | str]) -> frozenset[str]:
    """Every value that is known to be secret. `files`: one value a line, or a private key; those that are not there,
    or cannot be read, hold nothing that we could tell either.
    """
    passwords = [text.strip() for text in _texts([environment.get(_VAULT_PASSWORD, "")])]
    found: set[str] = set(passwords)
    found.update(value for name, value in environment.items() if _is_secret(name) and not _is_place(value))
    for text in _texts(_variable_files(site.folder)):
        found.update(_of_variables(text, passwords))
    for text in _texts(files):
        found.update(_of_file(text))
    public = _public(site.topology)
    return frozenset(item for item in found if _can_be_kept(item, public))


def _can_be_kept(value: str, public: Iterable[str]) -> bool:
    return len(value) >= forms.LEAST and not any(value in item for item in public)


def _public(topology: Topology) -> set[str]:
    """What must stand in every report, and the words that the program itself goes by."""
    names: set[str] = {word for words in (Outcome, CheckResult, Phase, Verb) for word in words}
    names |= {topology.site.name, *(str(item.network) for item in topology.centres)}
    for gateway in topology.gateways:
        names |= {gateway.id, gateway.number, gateway.host}
    names |= {host.id for host in topology.hosts} | {router.id for router in topology.routers}
    names |= {str(host.management_address) for host in topology.hosts}
    names |= {str(router.management_address) for router in topology.routers}
    return names | {front.endpoint for front in topology.fronts} | {line.id for line in topology.lines}


def _is_secret(name: str) -> bool:
    return bool(_NAMED.search(name)) and not _NAMES_A_FILE.search(name)


def _is_place(value: str) -> bool:
    """PWD is where one is, and SSH_ASKPASS a program: no password, whatever their names say."""
    return value.startswith("/") and Path(value).exists()


def _texts(paths: Iterable[Path | str]) -> Iterator[str]:
    for path in paths:
        try:
            yield Path(path).expanduser().read_text(encoding="utf-8", errors="surrogateescape") if str(path) else ""
        except OSError:
            continue


def _variable_files(folder: Path) -> list[Path]:
    """Where Ansible finds variables of a site."""
    found = [folder / "hosts.yml"]
    for name in ("group_vars", "host_vars"):
        found += sorted(path for path in (folder / name).rglob("*") if path.is_file())
    return found


def _of_file(text: str) -> Iterator[str]:
    if _PRIVATE in text:
        yield from _of_key(text)
    else:
        yield from (line.strip() for line in text.splitlines())


def _of_key(text: str) -> Iterator[str]:
    """Lines of the body; the first says little more than what kind of key it is."""
    body = [line.strip() for line in text.splitlines() if line.strip() and "-----" not in line and ":" not in line]
    lines = body[1:] or body
    yield from lines[:: max(1, len(lines) // _KEY_LINES)]


def _of_variables(text: str, passwords: Iterable[str]) -> Iterator[str]:
    """Of one file of variables: by name, at any depth, and whatever a vault held."""
    if text.startswith(vault.HEADER):
        text = vault.opened(text, passwords) or ""
        yield from _scalars(_parsed(text, passwords))
    yield from _named(_parsed(text, passwords), is_secret=False)


class _FromVault(str):
    """A value that a vault held."""

    __slots__ = ()


def _parsed(text: str, passwords: Iterable[str]) -> Data:
    import yaml  # noqa: PLC0415 - only a site's own variables need it

    class Reader(yaml.SafeLoader):
        """Takes every tag; a vault's content becomes what it held."""

    def tagged(reader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Data:
        if not isinstance(node, yaml.ScalarNode):
            deep = reader.construct_mapping if isinstance(node, yaml.MappingNode) else reader.construct_sequence
            return deep(node, deep=True)  # type: ignore[arg-type] # chosen by the node's own class
        if suffix != "vault":
            return str(node.value)
        return _FromVault(vault.opened(str(node.value), passwords) or "")

    Reader.add_multi_constructor("!", tagged)
    try:
        return yaml.load(text, Loader=Reader)  # noqa: S506 - derived from SafeLoader
    except (yaml.YAMLError, ValueError):
        return None


def _named(data: Data, *, is_secret: bool) -> Iterator[str]:
    if isinstance(data, Mapping):
        for name, value in data.items():
            yield from _named(value, is_secret=is_secret or _is_secret(str(name)))
            if str(name).endswith("private_key_file"):
                yield from (line for text in _texts([str(value)]) for line in _of_file(text))
    elif isinstance(data, list):
        for item in data:
            yield from _named(item, is_secret=is_secret)
    elif is_secret or isinstance(data, _FromVault):
        yield from _scalars(data)


def _scalars(data: Data) -> Iterator[str]:
    if isinstance(data, Mapping):
        data = list(data.values())
    if isinstance(data, list):
        for item in data:
            yield from _scalars(item)
    elif data is not None and not isinstance(data, bool):
        yield str(data).strip()


class Mask:
    """Takes secret values out of texts, in every form in which a text can hold them."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self.secrets = frozenset(secrets)
        found = {form: pattern for secret in self.secrets for form, pattern in _patterns(secret)}
        # Most texts hold none of them, and to find that out a plain search is a hundred times faster than a pattern.
        self._longest_first = sorted(found.items(), key=lambda item: len(item[0]), reverse=True)

    def text(self, text: str) -> str:
        patterns = [pattern for form, pattern in self._longest_first if form in text]
        return re.sub("|".join(patterns), MASKED, text) if patterns else text

    def data(self, data: Data) -> Data:
        """The same data with every text in it masked; names of fields are ours, and stay."""
        whole = "\0".join(_strings(data)) if self._longest_first else ""
        return self._masked(data) if self.text(whole) != whole else data

    def _masked(self, data: Data) -> Data:
        if isinstance(data, str):
            return self.text(data)
        if isinstance(data, Mapping):
            return {name: self._masked(value) for name, value in data.items()}
        return [self._masked(item) for item in data] if isinstance(data, list | tuple) else data


def _strings(data: Data) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        for value in data.values():
            yield from _strings(value)
    elif isinstance(data, list | tuple):
        for item in data:
            yield from _strings(item)


def _patterns(secret: str) -> Iterator[tuple[str, str]]:
    """(form, pattern that finds it)."""
    for text in (*forms.plain(secret).values(), *forms.coded(secret).values()):
        pattern = re.escape(text)
        alone = forms.is_number(secret) and text == secret
        yield text, forms.ALONE_BEFORE + pattern + forms.ALONE_AFTER if alone else pattern


NO_MASK = Mask(())


def of_this_machine(site: LoadedSite, files: Iterable[Path | str], private_keys: Iterable[Path | str] = ()) -> Mask:
    """The mask of a run that this process is at work on."""
    return Mask(known_secrets(site, os.environ, [*files, *private_keys]))
