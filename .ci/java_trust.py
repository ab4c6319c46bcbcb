"""Write the certificate authorities that this machine trusts into a key store that Java reads.

A company's network often carries an authority of its own, which the system's bundle has and the
Java from the package index lacks; without it Java can fetch nothing there.

The format is Java's JKS, version 2: a header, one entry a certificate, and a SHA-1 over all of it.
"""

import hashlib
import os
import ssl
import struct
from pathlib import Path

MAGIC, VERSION, TRUSTED = 0xFEEDFEED, 2, 2
PASSWORD = "changeit"  # Java's own default; the certificates are public


def bundle() -> Path | None:
    """Find the bundle of trusted authorities: the one that is configured, or the system's."""
    named = [os.environ.get(name) for name in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")]
    usual = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"]
    for candidate in [*named, ssl.get_default_verify_paths().cafile, *usual]:
        if candidate and Path(candidate).is_file():
            return Path(candidate)
    return None


def certificates(pem: Path) -> list[bytes]:
    """Read the certificates of a PEM bundle, each as DER."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    blocks = pem.read_text(errors="replace").split(begin)[1:]
    return [ssl.PEM_cert_to_DER_cert(begin + block.split(end)[0] + end) for block in blocks]


def write(store: Path, ders: list[bytes]) -> None:
    """Write the key store."""
    body = struct.pack(">III", MAGIC, VERSION, len(ders))
    for number, der in enumerate(ders):
        alias = f"authority-{number}".encode()
        body += struct.pack(">IH", TRUSTED, len(alias)) + alias + struct.pack(">Q", 0)
        body += struct.pack(">H", 5) + b"X.509" + struct.pack(">I", len(der)) + der
    digest = hashlib.sha1(PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + body).digest()
    store.write_bytes(body + digest)
