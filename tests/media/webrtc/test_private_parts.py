"""What is private in aiortc and aioice and used by ``media.webrtc``: a release that changes it fails here, in
words, and not in a call."""

from __future__ import annotations

import inspect

import aioice
import aiortc
import pylibsrtp
import pytest
from aioice.ice import CandidatePair, StunProtocol, server_reflexive_candidate
from aioice.turn import TurnClientMixin, TurnClientUdpProtocol, TurnTransport, create_turn_endpoint
from aiortc import RTCCertificate, RTCDtlsTransport
from aiortc.rtcdtlstransport import X509_DIGEST_ALGORITHMS, State

from sipstack.media.webrtc.dtls import Association, certificate, fingerprints


def uses(function: object, *names: str) -> None:
    """``function`` is written in terms of these."""
    text = inspect.getsource(function)  # type: ignore[arg-type]
    assert [name for name in names if name not in text] == []


def test_the_releases_that_these_tests_were_written_for() -> None:
    assert aiortc.__version__.split(".")[:1] == ["1"]
    assert aioice.__version__.split(".")[:1] == ["0"]


async def test_the_dtls_transport_lives_on_four_members_of_its_ice_transport() -> None:
    uses(RTCDtlsTransport._recv_next, "self.transport._recv()")
    uses(RTCDtlsTransport._write_ssl, "await self.transport._send(data)")
    uses(RTCDtlsTransport.start, 'self.transport.role == "controlling"')
    source = inspect.getsource(RTCDtlsTransport)
    names = {
        part.split("(")[0].split(")")[0].split()[0].rstrip(",.:")
        for part in source.split("self.transport.")[1:]
    }
    assert names == {"role", "_recv", "_send"}


async def test_its_keys_and_its_state() -> None:
    association = Association(
        certificate(), fingerprints(certificate()), client=True, send=lambda _: None, ended=lambda: None
    )
    dtls = association._dtls
    assert {"_rx_srtp", "_tx_srtp", "_ssl", "encrypted"} <= vars(dtls).keys()
    assert dtls._role == "client"
    assert dtls.state == "new"
    assert {each.name for each in State} == {"NEW", "CONNECTING", "CONNECTED", "CLOSED", "FAILED"}
    uses(RTCDtlsTransport._setup_srtp, "self._rx_srtp = Session(", "self._tx_srtp = Session(")
    assert all(
        hasattr(pylibsrtp.Session, name)
        for name in ("protect", "unprotect", "protect_rtcp", "unprotect_rtcp")
    )
    association.close()


def test_the_ciphers_are_those_of_its_context() -> None:
    uses(RTCDtlsTransport.start, "._create_ssl_context(")
    uses(RTCCertificate._create_ssl_context, "ctx.set_cipher_list(")


def test_stopping_never_waits() -> None:
    """It is driven by one ``send(None)``."""
    uses(RTCDtlsTransport.stop, "await self._write_ssl()")
    assert inspect.getsource(RTCDtlsTransport.stop).count("await") == 1
    assert inspect.getsource(RTCDtlsTransport._write_ssl).count("await") == 1


def test_the_functions_that_certificates_are_compared_by() -> None:
    assert "sha-256" in X509_DIGEST_ALGORITHMS
    assert [each.algorithm for each in RTCCertificate.generateCertificate().getFingerprints()][0] == "sha-256"


def test_the_connection_gathers_by_a_method_that_can_be_replaced() -> None:
    assert list(inspect.signature(aioice.Connection.get_component_candidates).parameters) == [
        "self",
        "component",
        "addresses",
        "timeout",
    ]
    uses(aioice.Connection.gather_candidates, "self.get_component_candidates(")
    uses(
        aioice.Connection.get_component_candidates, "StunProtocol(self)", "self._protocols += host_protocols"
    )
    assert inspect.iscoroutinefunction(server_reflexive_candidate)


async def test_the_pair_that_carries_packets() -> None:
    connection = aioice.Connection(ice_controlling=True)
    assert connection._nominated == {}
    assert connection._protocols == []
    uses(
        aioice.Connection.sendto, "self._nominated.get(component)", "send_data(data, active_pair.remote_addr)"
    )
    uses(StunProtocol.send_data, "self.transport.sendto(data, addr)")
    assert isinstance(CandidatePair.remote_addr, property)


def test_what_comes_and_what_ends() -> None:
    uses(StunProtocol.datagram_received, "self.receiver.data_received(", "request_received(")
    uses(StunProtocol.connection_lost, "self.receiver.protocol_lost(self)")
    uses(aioice.Connection.query_consent, "return await self.close()")


@pytest.mark.parametrize("name", ["ice_controlling", "remote_is_lite", "remote_username", "remote_password"])
async def test_what_is_set_before_it_connects(name: str) -> None:
    assert name in vars(aioice.Connection(ice_controlling=True))


def test_a_relay_sends_over_the_channels_of_its_client() -> None:
    client = TurnClientUdpProtocol(("192.0.2.9", 3478), "alice", "secret", 600, 240)
    assert vars(TurnTransport(client))["_TurnTransport__inner_protocol"] is client
    for name in ("peer_to_channel", "channel_refresh_at"):
        assert vars(client)[name] == {}
    uses(TurnClientMixin.send_data, 'struct.pack("!HH", channel, len(data))', "self._send(header + data)")
    uses(create_turn_endpoint, "channel_refresh_time=channel_refresh_time", "ssl=ssl")
    uses(TurnTransport._connect, "protocol.connection_made(")
