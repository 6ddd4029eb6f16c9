"""`notify.yml` of a site → NotifySettings. The file is optional: without it nobody is told."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from orchestrator.errors import DefinitionError, Problem
from orchestrator.loader.document import parse, read
from orchestrator.loader.evidence import is_address
from orchestrator.model.notify import Channel, ChannelKind, NotifySettings

FILE = "notify.yml"
_FIELDS = ("url", "url_file", "secret_file", "to", "server", "sender")
_FILES = ("url_file", "secret_file")
# What each kind needs; of a tuple one.
_NEEDED: dict[ChannelKind, tuple[tuple[str, ...], ...]] = {
    ChannelKind.APPRISE: (("url_file",),),
    ChannelKind.WEBHOOK: (("url", "url_file"), ("secret_file",)),
    ChannelKind.MAIL: (("to",), ("server",), ("sender",)),
    ChannelKind.OUTBOX_FOLDER: (("to",),),
}


def load_notify(folder: Path) -> NotifySettings:
    """Read and check it. Relative paths are taken from the site's folder. DefinitionError: file, line and field."""
    path = folder / FILE
    if not path.exists():
        return NotifySettings()
    document = read(path)
    settings = parse(NotifySettings, document)
    problems = [*_ids(settings)]
    for index, channel in enumerate(settings.channels):
        found = [*_fields(channel), *_forms(channel), *_outside(channel, folder)]
        problems += [Problem(("channels", index, *item.path), item.message) for item in found]
    if problems:
        raise DefinitionError([document.located(problem) for problem in problems])
    return settings.model_copy(update={"channels": tuple(_resolved(item, folder) for item in settings.channels)})


def _ids(settings: NotifySettings) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, channel in enumerate(settings.channels):
        if channel.id in seen:
            yield Problem(("channels", index, "id"), f"expected each id once, found {channel.id} again")
        seen.add(channel.id)


def _fields(channel: Channel) -> Iterator[Problem]:
    """The fields of its kind and no other."""
    needed = _NEEDED[channel.kind]
    given = {name for name in _FIELDS if getattr(channel, name) is not None}
    for names in needed:
        count = len(given.intersection(names))
        if count != 1:
            expected = "this field" if len(names) == 1 else f"one of {' and '.join(names)}"
            found = "nothing" if count == 0 else "both"
            yield Problem((names[-1],), f"expected {expected} for a channel of kind {channel.kind}, found {found}")
    for name in sorted(given.difference(*needed)):
        yield Problem((name,), f"expected no such field for a channel of kind {channel.kind}, found one")


def _forms(channel: Channel) -> Iterator[Problem]:
    """The address itself is not repeated: it may hold a secret after all."""
    if channel.kind is ChannelKind.WEBHOOK and channel.url is not None and not _is_plain_url(channel.url):
        yield Problem(
            ("url",),
            "expected https://HOST/… without a user, a password or a query (such go into url_file), found other",
        )
    if channel.kind is not ChannelKind.MAIL:
        return
    for name in ("to", "sender"):
        text = getattr(channel, name)
        if text is not None and not is_address(text):
            yield Problem((name,), f"expected a mail address, found {text!r}")
    host, colon, port = (channel.server or "h").partition(":")
    if not host or (colon and not port.isdecimal()):
        yield Problem(("server",), f"expected host:port, found {channel.server!r}")


def _is_plain_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    bare = not (parts.username or parts.password or parts.query or parts.fragment)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and port != 0 and bare


def _outside(channel: Channel, folder: Path) -> Iterator[Problem]:
    """The site's folder is copied into every run: a secret must not stand there. And it must be there at all."""
    home = folder.resolve()
    for name in _FILES:
        text = getattr(channel, name)
        if text is None:
            continue
        path = home / text
        if path.resolve().is_relative_to(home):
            yield Problem((name,), f"expected a file outside the site's folder {home}, found {text!r}")
        elif not path.is_file():
            yield Problem((name,), f"expected a file, found none at {path}")


def _resolved(channel: Channel, folder: Path) -> Channel:
    """Whether a folder is there is said when it is used: it may be a disk that is not mounted now."""
    names = [*_FILES, *(("to",) if channel.kind is ChannelKind.OUTBOX_FOLDER else ())]
    paths = {name: getattr(channel, name) for name in names}
    return channel.model_copy(update={name: str((folder / text).absolute()) for name, text in paths.items() if text})
