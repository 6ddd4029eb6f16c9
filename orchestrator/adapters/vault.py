"""Reads what `ansible-vault` has encrypted (format 1.1 and 1.2, AES256), to know what must be told nowhere.

The format is public: https://docs.ansible.com/ansible/latest/vault_guide/vault_encrypting_content.html. Nothing that
is read here is ever given to Ansible or written down.
"""

import hmac
from binascii import Error, unhexlify
from collections.abc import Iterable
from hashlib import pbkdf2_hmac

HEADER = "$ANSIBLE_VAULT;"
_ROUNDS = 10_000  # of the format, as the lengths below
_KEY, _IV, _BLOCK_BITS = 32, 16, 128


def opened(text: str, passwords: Iterable[str]) -> str | None:
    """The plain text; None: it is no vault, or none of the passwords opens it."""
    head, _, body = text.strip().partition("\n")
    if not head.startswith(HEADER):
        return None
    try:
        salt, seal, content = (unhexlify(part) for part in unhexlify("".join(body.split())).split(b"\n"))
    except (Error, ValueError):
        return None
    found = (_opened(password.encode(), salt, seal, content) for password in passwords)
    return next((plain for plain in found if plain is not None), None)


def _opened(password: bytes, salt: bytes, seal: bytes, content: bytes) -> str | None:
    keys = pbkdf2_hmac("sha256", password, salt, _ROUNDS, _KEY * 2 + _IV)
    cipher, signing, vector = keys[:_KEY], keys[_KEY : _KEY * 2], keys[_KEY * 2 :]
    if not hmac.compare_digest(hmac.new(signing, content, "sha256").digest(), seal):
        return None
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415 - few sites have a vault
    from cryptography.hazmat.primitives.padding import PKCS7  # noqa: PLC0415 - as above

    decryptor = Cipher(algorithms.AES(cipher), modes.CTR(vector)).decryptor()
    unpadder = PKCS7(_BLOCK_BITS).unpadder()
    padded = decryptor.update(content) + decryptor.finalize()
    return (unpadder.update(padded) + unpadder.finalize()).decode("utf-8", "replace")
