"""How a reader who trusts nobody verifies the evidence pack that this report is part of."""

from dataclasses import dataclass

from orchestrator.report.context import Context


@dataclass(frozen=True)
class Way:
    """One thing to verify, with the command that does it, run in the pack's own folder."""

    what: str
    command: str


def ways(context: Context, digest: str | None) -> tuple[Way, ...]:
    """None without a pack: there is nothing to verify yet."""
    if digest is None:
        return ()
    texts = context.texts
    signer = texts("verify.fingerprint")
    commands = {
        "files": "sha256sum --check --strict --quiet SHA256SUMS",
        "signature": (
            "openssl cms -verify -binary -inform DER -in SHA256SUMS.p7s -content SHA256SUMS \\\n"
            "    -CAfile certificates/chain.pem -partial_chain -purpose any -no_check_time -out /dev/null"
        ),
        "signer": "openssl x509 -in certificates/signer.pem -noout -fingerprint -sha256",
        "stamp": (
            "openssl ts -verify -data SHA256SUMS.p7s -in SHA256SUMS.p7s.tsr \\\n"
            "    -CAfile certificates/tsa.pem -partial_chain"
        ),
        "evidence": "sha256sum EVIDENCE.sha256",
        "all": f"bash verify.sh --signer {signer} .\ndrillctl evidence verify . --signer {signer}",
    }
    return tuple(Way(texts(f"verify.{name}"), command) for name, command in commands.items())


def contents(context: Context) -> tuple[tuple[str, str], ...]:
    """What a pack holds, by file."""
    files = {
        "run.json": "run",
        "journal/events.jsonl": "journal",
        "plan/": "plan",
        "people/": "people",
        "configurations/": "configurations",
        "samples/samples.jsonl": "samples",
        "checks/*.junit.xml": "checks",
        "ansible/": "ansible",
        "hands/": "hands",
        "interlocks.json findings.json": "proofs",
        "ledger/ledger.jsonl": "ledger",
        "certificates/": "certificates",
        "EVIDENCE.sha256 SHA256SUMS SHA256SUMS.p7s": "sums",
    }
    return tuple((name, context.texts(f"pack.{key}")) for name, key in files.items())
