import socket
import ssl
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509

from foretide.cli.bed.certificates import Authority, KeyPair, signing_keys


def names(pair: KeyPair) -> dict[str, list[str | bytes]]:
    subject = x509.load_pem_x509_certificate(pair.certificate.read_bytes()).subject
    kinds = {"user": x509.NameOID.COMMON_NAME, "groups": x509.NameOID.ORGANIZATION_NAME}
    return {kind: [found.value for found in subject.get_attributes_for_oid(oid)] for kind, oid in kinds.items()}


def greeted(server: KeyPair, client: KeyPair, *, server_trusts: Path, client_trusts: Path) -> str:
    """What a server that asks for a certificate says to the client at 127.0.0.1."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(server_trusts))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(server.certificate, server.key)
    asking = ssl.create_default_context(cafile=str(client_trusts))
    asking.verify_flags |= ssl.VERIFY_X509_STRICT
    asking.load_cert_chain(client.certificate, client.key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answering = Thread(target=_greet, args=(listener, context))
        answering.start()
        try:
            with (
                socket.create_connection(listener.getsockname(), timeout=5) as raw,
                asking.wrap_socket(raw, server_hostname="127.0.0.1") as wrapped,
            ):
                return wrapped.recv(10).decode()
        finally:
            answering.join()


def _greet(listener: socket.socket, context: ssl.SSLContext) -> None:
    connection, _ = listener.accept()
    try:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            wrapped.sendall(b"hello")
    except OSError:
        connection.close()


def test_server_and_client_of_one_authority_trust_each_other(tmp_path: Path) -> None:
    authority = Authority("ca", tmp_path)
    server, admin = authority.issue("server", hosts=("127.0.0.1", "localhost")), authority.issue("admin")
    ca = authority.certificate
    assert greeted(server, admin, server_trusts=ca, client_trusts=ca) == "hello"


def test_a_server_of_another_bed_is_not_trusted(tmp_path: Path) -> None:
    ours, theirs = Authority("ca", tmp_path / "ours"), Authority("ca", tmp_path / "theirs")
    server, admin = theirs.issue("server", hosts=("127.0.0.1",)), ours.issue("admin")
    with pytest.raises(ssl.SSLCertVerificationError):
        greeted(server, admin, server_trusts=ours.certificate, client_trusts=ours.certificate)


def test_user_and_groups_are_what_kubernetes_reads(tmp_path: Path) -> None:
    pair = Authority("ca", tmp_path).issue("someone", groups=("system:masters",), file="admin")
    assert names(pair) == {"user": ["someone"], "groups": ["system:masters"]}
    assert pair.key.name == "admin.key"


def test_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    authority = Authority("ca", tmp_path)
    for pair in (authority.issue("admin"), signing_keys(tmp_path)):
        assert pair.key.stat().st_mode & 0o077 == 0
