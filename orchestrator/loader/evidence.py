"""`evidence.yml` of a site → EvidenceSettings. The file is optional: without it evidence is sealed with local keys."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from orchestrator.errors import DefinitionError, Problem
from orchestrator.loader.document import Document, parse, read
from orchestrator.model.evidence import Anchor, EvidenceSettings

FILE = "evidence.yml"


def load_evidence(folder: Path) -> EvidenceSettings:
    """Read and check it. Relative paths are taken from the site's folder. DefinitionError: file, line and field."""
    path = folder / FILE
    if not path.exists():
        return EvidenceSettings()
    document = read(path)
    settings = parse(EvidenceSettings, document)
    problems = [*_signing(settings), *_stamping(settings), *_anchors(settings), *_secrets(settings, folder)]
    if problems:
        raise DefinitionError([document.located(problem) for problem in problems])
    return _resolved(settings, folder, document)


def _signing(settings: EvidenceSettings) -> list[Problem]:
    signing, found = settings.signing, []
    if signing is None:
        return []
    if signing.external == (signing.key is not None):
        expected = "no key where it is signed elsewhere" if signing.external else "a key, or external: true"
        found.append(Problem(("signing", "key"), f"expected {expected}, found {signing.key or 'none'}"))
    if signing.key and _names_a_pin(signing.key):
        # the value is not repeated: it may be a PIN
        found.append(Problem(("signing", "key"), "expected a pkcs11: URI that names no PIN, found one that does"))
    return found


def _names_a_pin(key: str) -> bool:
    """RFC 7512: attributes of the path end with `;`, those of the query with `&`. `pin-source` names a file, no PIN."""
    if not key.startswith("pkcs11:"):
        return False
    names = {part.partition("=")[0] for part in key[7:].replace("?", ";").replace("&", ";").split(";")}
    return "pin-value" in names


def _stamping(settings: EvidenceSettings) -> list[Problem]:
    if settings.stamping is None:
        return []
    try:
        url = urlsplit(settings.stamping.url)
        known = url.scheme in ("http", "https") and bool(url.hostname) and not url.password
    except ValueError:
        known = False
    where = ("stamping", "url")
    return (
        [] if known else [Problem(where, "expected http://HOST/… or https://HOST/… without a password, found another")]
    )


def _anchors(settings: EvidenceSettings) -> list[Problem]:
    found: list[Problem] = []
    seen: dict[str, int] = {}
    for index, anchor in enumerate(settings.anchors):
        if anchor.id in seen:
            found.append(Problem(("anchors", index, "id"), f"expected each id once, found {anchor.id} again"))
        seen[anchor.id] = index
        found += [Problem(("anchors", index, *problem.path), problem.message) for problem in _anchor(anchor)]
    return found


_NEEDED: dict[str, tuple[str, ...]] = {"directory": (), "sftp": ("key", "host_key"), "mail": ("server", "sender")}


def _anchor(anchor: Anchor) -> list[Problem]:
    needed = _NEEDED[anchor.kind]
    found = [
        Problem((name,), f"expected this field for an anchor of kind {anchor.kind}, found nothing")
        for name in needed
        if not getattr(anchor, name)
    ]
    found += [
        Problem((name,), f"expected no such field for an anchor of kind {anchor.kind}, found one")
        for name in ("server", "sender", "key", "host_key")
        if name not in needed and getattr(anchor, name)
    ]
    reasons = {"to": _destination(anchor), **_forms(anchor)}
    return [
        *found,
        *(Problem((name,), f"{reason}, found {getattr(anchor, name)!r}") for name, reason in reasons.items() if reason),
    ]


def _destination(anchor: Anchor) -> str | None:
    """Why `to` is none of its kind."""
    match anchor.kind:
        case "directory":
            return None if anchor.to else "expected a folder"
        case "mail":
            return None if is_address(anchor.to) else "expected a mail address"
        case "sftp":
            user, at, rest = anchor.to.partition("@")
            host, _, folder = rest.partition("/")
            name, colon, port = host.partition(":")
            right = user and at and name and folder and (not colon or port.isdecimal())
            return None if right else "expected user@host:port/folder"


_PUBLIC_KEY = re.compile(r"(\S+ )?(ssh|ecdsa|sk)-\S+ AAAA[A-Za-z0-9+/=]+( .*)?")


def _forms(anchor: Anchor) -> dict[str, str | None]:
    """Why a field that is there has not the form of its kind."""
    host, _, port = (anchor.server or "h").partition(":")
    right_server = host and (port.isdecimal() or ":" not in (anchor.server or ""))
    return {
        "server": None if right_server else "expected host:port",
        "sender": None if anchor.sender is None or is_address(anchor.sender) else "expected a mail address",
        "host_key": None
        if anchor.host_key is None or _PUBLIC_KEY.fullmatch(anchor.host_key)
        else "expected a public key as in known_hosts (ssh-ed25519 AAAA…)",
    }


def is_address(text: str) -> bool:
    """Not a full RFC 5322 parser: one @ with something on both sides, and nothing that could end a header line."""
    user, at, host = text.partition("@")
    return bool(user and at and host) and "@" not in host and not any(char.isspace() for char in text)


def _secrets(settings: EvidenceSettings, folder: Path) -> list[Problem]:
    """The site's folder is copied into every run: a secret must not stand there."""
    home = folder.resolve()
    return [
        Problem(("secrets", index), f"expected a file outside the site's folder {home}, found {name!r}")
        for index, name in enumerate(settings.secrets)
        if (home / name).resolve().is_relative_to(home)
    ]


def _resolved(settings: EvidenceSettings, folder: Path, document: Document) -> EvidenceSettings:
    """The settings with every path made absolute. A certificate that is not there is said here, with its line."""
    problems: list[Problem] = []

    def path_of(name: str, *where: str | int) -> str:
        path = (folder / name).absolute()
        if not path.is_file():
            problems.append(Problem(where, f"expected a file, found none at {path}"))
        return str(path)

    signing, stamping = settings.signing, settings.stamping
    if signing:
        key = signing.key
        update = {
            "certificate": path_of(signing.certificate, "signing", "certificate"),
            "key": key if key is None or key.startswith("pkcs11:") else path_of(key, "signing", "key"),
            "chain": signing.chain and path_of(signing.chain, "signing", "chain"),
        }
        signing = signing.model_copy(update=update)
    if stamping:
        update = {"certificates": path_of(stamping.certificates, "stamping", "certificates")}
        stamping = stamping.model_copy(update=update)
    secrets = tuple(path_of(name, "secrets", index) for index, name in enumerate(settings.secrets))
    anchors = tuple(_anchor_resolved(anchor, folder) for anchor in settings.anchors)
    if problems:
        raise DefinitionError([document.located(problem) for problem in problems])
    return settings.model_copy(
        update={"signing": signing, "stamping": stamping, "secrets": secrets, "anchors": anchors}
    )


def _anchor_resolved(anchor: Anchor, folder: Path) -> Anchor:
    """Whether a folder or a key is there is said when it is used: it may be a disk that is not mounted now."""
    update = {}
    if anchor.kind == "directory":
        update["to"] = str((folder / anchor.to).absolute())
    if anchor.key:
        update["key"] = str((folder / anchor.key).absolute())
    return anchor.model_copy(update=update)
