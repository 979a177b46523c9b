"""TLS on loopback: who is believed (RFC 5922), and what is told when somebody is not."""

from __future__ import annotations

import asyncio
import datetime
import gc
import os
import shutil
import socket
import ssl
import warnings
from asyncio.sslproto import SSLProtocol
from pathlib import Path

import pytest

from sipstack.core.outputs import Target
from sipstack.errors import TransportError
from sipstack.net.host import HostNetwork
from sipstack.net.network import Listen
from sipstack.net.settings import Settings
from sipstack.net.stream_limits import StreamLimits
from sipstack.net.tls_settings import Tls
from sipstack.testing.certificates import HOUR, CertificateAuthority
from tests.net.streams import MESSAGE, PATIENCE, Told, dialling, listening

QUICK = StreamLimits(opening=1.0)


class Files:
    """An authority's certificate, and those it issues, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.issuer = CertificateAuthority()
        self.authority = self.issuer.write(folder)

    def issue(self, *names: str, name: str = "server", ends: datetime.timedelta = 24 * HOUR) -> Tls:
        """The settings of a server whose certificate has these names."""
        certificate, key = self.issuer.issue(*names, ends=ends).write(self.folder, name)
        return Tls(certificate=certificate, key=key, authority=self.authority)

    @property
    def trusting(self) -> Tls:
        return Tls(authority=self.authority)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def settings(tls: Tls) -> Settings:
    return Settings(tls=tls, streams=QUICK)


async def refusal(server: Tls, client: Tls, domain: str = "pbx.example.com") -> str:
    """Why the client does not get through, without the address; empty when it does."""
    async with (
        listening("tls:127.0.0.1:0", settings(server)) as (endpoint, at_server),
        dialling("tls", settings(client)) as (dialler, told),
    ):
        dialler.open(Target("TLS", endpoint.local, domain))
        async with asyncio.timeout(PATIENCE):
            while not told.refusals and not at_server.messages and not told.failures:
                if told.there:
                    dialler.send(told.there[0][1], MESSAGE)
                await asyncio.sleep(0.01)
        errors = [text for _, text in [*told.refusals, *told.failures]]
        return errors[0].partition(": ")[2] if errors else ""


async def test_messages_go_both_ways(files: Files) -> None:
    server = files.issue("pbx.example.com")
    async with (
        listening("tls:127.0.0.1:0", settings(server)) as (endpoint, at_server),
        dialling("tls", settings(files.trusting)) as (dialler, told),
    ):
        dialler.open(Target("TLS", endpoint.local, "pbx.example.com"))
        await told.wait(there=1)
        await at_server.wait(visitors=1)
        there, here = told.there[0][1], at_server.visitors[0]
        dialler.send(there, MESSAGE)
        endpoint.send(here, MESSAGE)
        await at_server.wait(messages=1)
        await told.wait(messages=1)
        assert (there.transport, there.secure, there.reliable, here.secure) == ("TLS", True, True, True)
        endpoint.close_flow(here)
        await told.wait(failures=1)
        await at_server.wait(failures=1)


@pytest.mark.parametrize(
    ("names", "domain"),
    [
        (["pbx.example.com"], "PBX.example.com"),
        (["sip:pbx.example.com", "other.example.org"], "pbx.example.com"),
        (["127.0.0.1"], "127.0.0.1"),
        (["::1"], "::1"),
        ([], "pbx.example.com"),
    ],
)
async def test_who_is_believed(files: Files, names: list[str], domain: str) -> None:
    server = files.issue(*names)
    if not names:
        certificate, key = files.issuer.issue(common_name=domain).write(files.folder, "named")
        server = Tls(certificate=certificate, key=key)
    assert await refusal(server, files.trusting, domain) == ""


@pytest.mark.parametrize(
    ("names", "whose"),
    [
        (["pbx.example.org"], "pbx.example.org"),
        (["sip:pbx.example.org", "pbx.example.com"], "pbx.example.org"),
        (["*.example.com"], "*.example.com"),
        (["127.0.0.1"], "127.0.0.1"),
        (["https://pbx.example.com/"], "nobody"),
    ],
)
async def test_a_certificate_of_somebody_else(files: Files, names: list[str], whose: str) -> None:
    found = await refusal(files.issue(*names), files.trusting)
    assert found == f"the certificate of pbx.example.com is for {whose}"


async def test_a_wildcard_that_is_allowed(files: Files) -> None:
    client = Tls(authority=files.authority, wildcards=True)
    assert await refusal(files.issue("*.example.com"), client) == ""


async def test_a_certificate_that_has_expired(files: Files) -> None:
    found = await refusal(files.issue("pbx.example.com", ends=-HOUR), files.trusting)
    assert found == "the certificate of pbx.example.com has expired"


async def test_an_unknown_authority(files: Files, tmp_path: Path) -> None:
    other = CertificateAuthority("another").write(_folder(tmp_path, "other"))
    found = await refusal(files.issue("pbx.example.com"), Tls(authority=other))
    assert found == (
        "the certificate of pbx.example.com is signed by an unknown authority"
        " (give its certificate as the authority)"
    )


async def test_who_verifies_nothing_believes_everybody(files: Files) -> None:
    assert await refusal(files.issue("pbx.example.org", ends=-HOUR), Tls(verify=False)) == ""


async def test_a_folder_of_authorities_without_the_one(files: Files, tmp_path: Path) -> None:
    found = await refusal(files.issue("pbx.example.com"), Tls(authority=_folder(tmp_path, "empty")))
    assert "is signed by an unknown authority" in found


# --- certificates of clients ---


async def test_a_client_with_a_certificate_of_its_own(files: Files) -> None:
    server = files.issue("pbx.example.com")
    asking = Tls(
        certificate=server.certificate, key=server.key, client_authority=files.authority, require_client=True
    )
    assert await refusal(asking, files.issue("alice.example.com", name="client")) == ""


async def test_a_client_without_one(files: Files) -> None:
    server = files.issue("pbx.example.com")
    asking = Tls(
        certificate=server.certificate, key=server.key, client_authority=files.authority, require_client=True
    )
    assert await refusal(asking, files.trusting) != ""  # asyncio's server does not get to send why


async def test_a_server_that_wants_a_certificate_of_ours(files: Files) -> None:
    server = files.issue("pbx.example.com")
    assert server.certificate is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.certificate, server.key)
    context.load_verify_locations(files.authority)
    context.verify_mode = ssl.CERT_REQUIRED
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def greet() -> None:
            accepted, _ = listener.accept()
            with accepted, pytest.raises(ssl.SSLError):
                context.wrap_socket(accepted, server_side=True)

        greeting = asyncio.create_task(asyncio.to_thread(greet))
        async with dialling("tls", settings(files.trusting)) as (dialler, told):
            dialler.open(Target("TLS", listener.getsockname(), "pbx.example.com"))
            await greeting
            await told.wait(failures=1)  # with TLS 1.3 it is told when we think that all is well
    assert told.failures[0][1].endswith(": the peer wants a certificate of ours")


# --- no TLS ---


async def test_a_peer_that_speaks_no_tls(files: Files) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SIP/2.0 400 Bad Request\r\n\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    target = Target("TLS", server.sockets[0].getsockname(), "pbx.example.com")
    async with server, dialling("tls", settings(files.trusting)) as (dialler, told):
        dialler.open(target)
        await told.wait(refusals=1)
    port = target.address[1]
    assert told.refusals[0][1] == f"127.0.0.1:{port}: pbx.example.com speaks no TLS on port {port}"


async def test_a_peer_that_says_nothing_in_the_handshake(files: Files) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        quick = Settings(tls=files.trusting, streams=StreamLimits(opening=0.2))
        async with dialling("tls", quick) as (dialler, told):
            dialler.open(Target("TLS", silent.getsockname(), "pbx.example.com"))
            await told.wait(refusals=1)
    assert "pbx.example.com did not end the handshake of TLS in time" in told.refusals[0][1]


async def test_a_stranger_that_does_not_greet_is_put_out(files: Files) -> None:
    quick = Settings(tls=files.issue("pbx.example.com"), streams=StreamLimits(opening=0.2))
    async with listening("tls:127.0.0.1:0", quick) as (endpoint, told):
        reader, writer = await asyncio.open_connection(*endpoint.local)
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == b""
        writer.close()
        await asyncio.sleep(0.05)
        assert (told.visitors, told.failures) == ([], [])


async def test_versions_before_1_2_are_refused(files: Files) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with listening("tls:127.0.0.1:0", settings(files.issue("pbx.example.com"))) as (endpoint, told):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection(*endpoint.local, ssl=context)
    assert told.visitors == []


# --- files ---


async def test_listening_without_a_certificate() -> None:
    with pytest.raises(TransportError, match="to listen on TLS takes a certificate: give certificate= and"):
        await HostNetwork().listen(Listen("tls", "127.0.0.1", 0), Told())


async def test_files_that_are_not_there_or_do_not_match(files: Files, tmp_path: Path) -> None:
    one, other = files.issue("a.example.com", name="one"), files.issue("b.example.com", name="other")
    for tls, words in [
        (Tls(certificate=tmp_path / "none.crt"), "the certificate cannot be read: .*No such file"),
        (Tls(certificate=one.certificate, key=other.key), "are no certificate with its key: key values"),
        (Tls(certificate=one.certificate), "is no certificate|are no certificate with its key"),
    ]:
        with pytest.raises(TransportError, match=words):
            await HostNetwork(settings(tls)).listen(Listen("tls", "127.0.0.1", 0), Told())


async def test_a_new_certificate_is_taken_without_a_restart(files: Files) -> None:
    server = files.issue("old.example.com")
    async with listening("tls:127.0.0.1:0", settings(server)) as (endpoint, _):

        async def ask(domain: str) -> bool:
            async with dialling("tls", settings(files.trusting)) as (dialler, told):
                dialler.open(Target("TLS", endpoint.local, domain))
                await told.wait(there=1)
                return told.refusals == []

        assert await ask("old.example.com")
        assert server.certificate is not None
        shutil.copyfile(os.devnull, server.certificate)
        await asyncio.sleep(1.1)  # the files are looked at once a second
        assert await ask("old.example.com")
        files.issue("new.example.com")
        os.utime(server.certificate, (1, 1))
        await asyncio.sleep(1.1)
        assert await ask("new.example.com")


def test_the_password_of_a_key_is_not_shown() -> None:
    assert "hidden" not in repr(Tls(password="hidden"))


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder


async def test_a_handshake_that_is_broken_off_is_forgotten_at_once(files: Files) -> None:
    """Without the collector: a flood of them must not wait in memory for it."""

    def alive() -> int:
        return sum(isinstance(each, SSLProtocol) for each in gc.get_objects())

    server = files.issue("pbx.example.com")
    async with listening("tls:127.0.0.1:0", settings(server)) as (endpoint, _):
        gc.collect()
        gc.disable()
        try:
            before = alive()
            for _ in range(5):
                _, writer = await asyncio.open_connection(*endpoint.local)
                await asyncio.sleep(0.02)
                writer.close()
                await writer.wait_closed()
            async with asyncio.timeout(PATIENCE):
                while alive() > before:  # noqa: ASYNC110 nobody tells when memory is free
                    await asyncio.sleep(0.01)
        finally:
            gc.enable()
