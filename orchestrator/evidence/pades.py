"""Signs a PDF report by PAdES: B-T where a time-stamping authority answers, else B-B.

The signature is an incremental update: the report's own bytes stay as they were rendered. The key is used by openssl
only, so a token serves as well as a file.
"""

from io import BytesIO
from typing import Final

from asn1crypto import tsp
from pyhanko.keys import load_cert_from_pemder, load_certs_from_pemder
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, Signer
from pyhanko.sign.signers import sign_pdf as place_signature
from pyhanko.sign.timestamps import TimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

from orchestrator.errors import Refused
from orchestrator.evidence.keys import Keys
from orchestrator.evidence.sign import sign_raw
from orchestrator.ports import Stamper

FIELD: Final = "Signature"
# Our choice: room for a chain of several certificates and a stamp with its own; the rest is filled with zeros.
_RESERVED: Final = 32768


def sign_pdf(pdf: bytes, keys: Keys, stamper: Stamper | None = None) -> bytes:
    """The PDF with a signature over all of it; a silent authority is done without. Refused NO_KEY, NOT_SIGNED."""
    if stamper is not None:
        try:
            return _signed(pdf, keys, _Stamps(stamper))
        except Refused as error:
            if error.code != "NO_STAMP":
                raise
    return _signed(pdf, keys, None)


def _signed(pdf: bytes, keys: Keys, stamps: TimeStamper | None) -> bytes:
    written = BytesIO()
    place_signature(
        IncrementalPdfFileWriter(BytesIO(pdf)),
        PdfSignatureMetadata(field_name=FIELD, md_algorithm="sha256", subfilter=SigSeedSubFilter.PADES),
        signer=_Keys(keys),
        timestamper=stamps,
        new_field_spec=SigFieldSpec(FIELD),
        bytes_reserved=_RESERVED,
        output=written,
    )
    return written.getvalue()


class _Keys(Signer):
    """The site's keys, as pyHanko asks for a signature."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        above = SimpleCertificateStore.from_certs(load_certs_from_pemder([str(keys.chain)]) if keys.chain else ())
        super().__init__(signing_cert=load_cert_from_pemder(str(keys.certificate)), cert_registry=above)

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
        if digest_algorithm != "sha256":
            raise ValueError(f"expected sha256, found {digest_algorithm}")
        return bytes(512) if dry_run else sign_raw(self._keys, data)


class _Stamps(TimeStamper):
    """The site's time-stamping authority, as pyHanko asks for a stamp."""

    def __init__(self, stamper: Stamper) -> None:
        super().__init__()
        self._stamper = stamper

    async def async_request_tsa_response(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
        return tsp.TimeStampResp.load(self._stamper.stamp(req.dump()))
