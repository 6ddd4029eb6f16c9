from collections.abc import Iterable
from typing import Self

from asn1crypto.x509 import Certificate

class SimpleCertificateStore:
    @classmethod
    def from_certs(cls, certs: Iterable[Certificate]) -> Self: ...
