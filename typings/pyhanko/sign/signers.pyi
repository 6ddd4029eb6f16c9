from typing import BinaryIO

from asn1crypto.x509 import Certificate
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.timestamps import TimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

class PdfSignatureMetadata:
    def __init__(self, *, field_name: str, md_algorithm: str, subfilter: SigSeedSubFilter) -> None: ...

class Signer:
    def __init__(self, *, signing_cert: Certificate, cert_registry: SimpleCertificateStore) -> None: ...
    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes: ...

def sign_pdf(
    pdf_out: IncrementalPdfFileWriter,
    signature_meta: PdfSignatureMetadata,
    signer: Signer,
    timestamper: TimeStamper | None = None,
    new_field_spec: SigFieldSpec | None = None,
    *,
    bytes_reserved: int | None = None,
    output: BinaryIO,
) -> BinaryIO: ...
