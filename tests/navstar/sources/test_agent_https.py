"""The source over TLS: it checks the server, and shows its own certificate."""

import datetime
import ipaddress
import json
import random
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from navstar.allocation import Allocation
from navstar.config import AgentHttpSource as Section
from navstar.sources import Fault, Reading
from navstar.sources.agent_http import AgentHttpSource
from tests.navstar.sources.test_agent_answer import ANSWER

LOOPBACK = ipaddress.ip_address("127.0.0.1")


class Authority:
    """A certificate authority for one test; writes PEM files."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        self.ca = directory / "ca.pem"
        self._issue(self._name, self._key, self.ca, x509.BasicConstraints(True, None))

    def certificate(self, name: str) -> tuple[Path, Path]:
        """A certificate for 127.0.0.1, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        cert, key_file = (
            self._directory / f"{name}.pem",
            self._directory / f"{name}.key",
        )
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._issue(
            subject, key, cert, x509.SubjectAlternativeName([x509.IPAddress(LOOPBACK)])
        )
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return cert, key_file

    def _issue(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        file: Path,
        extension: x509.ExtensionType,
    ) -> None:
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(extension, critical=True)
            # Python 3.13 and newer want these: RFC 5280, sections 4.2.1.1 to 4.2.1.3.
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(
                    self._key.public_key()
                ),
                critical=False,
            )
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
                critical=False,
            )
            .add_extension(_key_usage(signs_others=key is self._key), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _key_usage(*, signs_others: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_others,
        key_cert_sign=signs_others,
        crl_sign=signs_others,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


class Served(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps(ANSWER).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture(name="authority")
def _authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture(name="port")
def _port(authority: Authority) -> Iterator[int]:
    """Of a server that wants a certificate of the client."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(*authority.certificate("server"))

    class TlsServer(ThreadingHTTPServer):
        def get_request(self):
            # Per connection, and so in time for a failed handshake to be its own.
            connection, address = super().get_request()
            return context.wrap_socket(connection, server_side=True), address

        def handle_error(self, request, client_address) -> None:
            pass

    server = TlsServer(("127.0.0.1", 0), Served)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def reading(port: int, **tls: Path) -> Reading:
    section = Section.model_validate({"kind": "agent-http", "port": port, "tls": tls})
    source = AgentHttpSource(
        section,
        kept=next(iter(tls.values())).with_name("kept"),
        user_agent="navstar",
        rng=random.Random(1),
    )
    send, receive = trio.open_memory_channel[Reading](0)
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(source.run, send)
            found = await receive.receive()
            nursery.cancel_scope.cancel()
    return found


async def test_both_sides_show_a_certificate(authority: Authority, port: int) -> None:
    cert, key = authority.certificate("agent")

    assert isinstance(
        await reading(port, ca=authority.ca, cert=cert, key=key), Allocation
    )


async def test_a_server_of_another_authority_is_not_believed(
    authority: Authority, port: int
) -> None:
    cert, key = authority.certificate("agent")

    found = await reading(port, cert=cert, key=key)

    assert isinstance(found, Fault)
    assert "certificate" in found.reason


async def test_a_server_that_wants_a_certificate_gets_none_and_refuses(
    authority: Authority, port: int
) -> None:
    assert isinstance(await reading(port, ca=authority.ca), Fault)
