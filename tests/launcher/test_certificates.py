import socket
import ssl
import stat
import threading

import pytest

from launcher.certificates import ensure_certificates, listening_names


def handshake(files, trusted, name):
    """Open one TLS connection to a server with these files; returns what the client makes of it."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.certificate, files.key)
    client = ssl.create_default_context(cafile=trusted)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            with listener.accept()[0] as raw:
                try:
                    server.wrap_socket(raw, server_side=True).close()
                except (ssl.SSLError, OSError):
                    return

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            with (
                socket.create_connection(listener.getsockname()) as raw,
                client.wrap_socket(raw, server_hostname=name) as tls,
            ):
                return tls.version()
        finally:
            thread.join()


def test_a_machine_that_trusts_the_authority_gets_through(tmp_path):
    files = ensure_certificates(tmp_path, listening_names("127.0.0.1"))
    assert handshake(files, files.authority, "127.0.0.1") in ("TLSv1.2", "TLSv1.3")
    assert handshake(files, files.authority, "localhost")


def test_another_name_and_another_authority_do_not(tmp_path):
    files = ensure_certificates(tmp_path / "a", ["127.0.0.1"])
    other = ensure_certificates(tmp_path / "b", ["127.0.0.1"])
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(files, files.authority, "elsewhere.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(files, other.authority, "127.0.0.1")


def test_keys_are_for_the_owner_alone(tmp_path):
    files = ensure_certificates(tmp_path, ["localhost"])
    for path in (files.key, tmp_path / "ca.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_second_start_keeps_them(tmp_path):
    before = ensure_certificates(tmp_path, ["localhost"]).certificate.read_bytes()
    assert ensure_certificates(tmp_path, ["localhost"]).certificate.read_bytes() == before


def test_a_new_name_renews_the_certificate_and_keeps_the_authority(tmp_path):
    files = ensure_certificates(tmp_path, ["localhost"])
    authority, certificate = files.authority.read_bytes(), files.certificate.read_bytes()
    files = ensure_certificates(tmp_path, ["localhost", "10.0.0.7"])
    assert files.authority.read_bytes() == authority
    assert files.certificate.read_bytes() != certificate
