"""SSH keys of one twin: made for it, never used elsewhere, gone with it."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass(frozen=True)
class KeyPair:
    """In OpenSSH's own forms."""

    private: bytes
    public: str


def make_key() -> KeyPair:
    """A new Ed25519 key."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return KeyPair(private, public.decode())


def write_private(path: Path, content: bytes) -> None:
    """Readable by its owner only from the first byte on."""
    path.touch(mode=0o600)
    path.write_bytes(content)
