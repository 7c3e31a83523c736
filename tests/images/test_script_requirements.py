"""Requirements that pip cannot fetch are told apart: a package that no index has, an index that is not trusted.

Real pip, the one that this Python brings, and a real index with a certificate of its own; no engine needed.
"""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import sysconfig
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from containers.train.bin.script_mode import interpreter
from optml.errors import Refusal

MISSING = "No matching distribution found for no-such-package==9"


@pytest.fixture(autouse=True)
def _pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m pip` of a clean environment, from the wheel that Python makes its environments' pip from."""
    ensurepip = pytest.importorskip("ensurepip", reason="this Python has no pip to make environments with")
    packages = sysconfig.get_config_var("WHEEL_PKG_DIR") or Path(ensurepip.__file__).parent / "_bundled"
    (wheel, *_) = sorted(Path(packages).glob("pip-*.whl"))
    monkeypatch.setenv("PYTHONPATH", str(wheel))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """That of an index without packages, which pip is told to ask."""
    file = tmp_path / "certificate.pem"
    file.write_bytes(self_signed())
    (tmp_path / "index").mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=tmp_path / "index"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("PIP_INDEX_URL", f"https://127.0.0.1:{server.server_port}")
    yield file
    server.shutdown()
    server.server_close()


def self_signed() -> bytes:
    """Key and certificate of 127.0.0.1 in PEM, good for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a proxy")])
    now, address = datetime.datetime.now(datetime.UTC), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(pem, form, plain) + made.public_bytes(pem)


def refusal(tmp_path: Path) -> Refusal:
    (tmp_path / "requirements.txt").write_text("no-such-package==9\n")
    with pytest.raises(Refusal) as refused:
        interpreter.install(tmp_path / "requirements.txt", tmp_path)
    return refused.value


def test_an_index_that_is_not_trusted_is_told_with_where_a_ca_is_given(tmp_path: Path, certificate: Path) -> None:
    refused = refusal(tmp_path)
    assert refused.message.startswith("requirements.txt does not install: pip does not trust its package index (")
    assert "certificate verify failed: self" in refused.message
    assert "PIP_CERT in Environment" in refused.hint


def test_with_that_ca_a_package_that_is_not_there_is_missing(
    tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CERT", str(certificate))
    refused = refusal(tmp_path)
    assert refused.message == f"requirements.txt does not install: {MISSING} ({tmp_path})"
    assert "PIP_INDEX_URL" in refused.hint
