"""Toy profiles: keys in SDP (RFC 4568), fingerprints (RFC 5763) and candidates (RFC 8839), each beside the
negotiator and without a change to it."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from sipstack.sdp import (
    STATIC_CODECS,
    Attribute,
    Capabilities,
    MediaDescription,
    MediaStream,
    Negotiation,
    Origin,
    PlainRtp,
    Profile,
    SessionDescription,
    parse,
    reachable,
)
from tests.sdp import endpoints

G711 = Capabilities((STATIC_CODECS[0], STATIC_CODECS[8]))
MUXED = attrs.evolve(G711, rtcp_mux=True)
SUITE = "AES_CM_128_HMAC_SHA1_80"


@attrs.frozen
class Sdes:
    """One suite, one key of ours."""

    key: str
    protocol: str = "RTP/SAVP"

    def offer(self) -> Iterable[Attribute]:
        return (Attribute("crypto", f"1 {SUITE} inline:{self.key}"),)

    def answer(
        self, offer: SessionDescription, medium: MediaDescription, address: str
    ) -> Iterable[Attribute] | None:
        if not reachable(offer, medium, address):
            return None
        for value in medium.attribute_values("crypto"):
            tag, suite, *_ = value.split()
            if suite == SUITE:
                return (Attribute("crypto", f"{tag} {SUITE} inline:{self.key}"),)
        return None


@attrs.frozen
class Dtls:
    """DTLS-SRTP over ICE: what it can reach, candidates tell, not the c= line."""

    fingerprint: str
    protocol: str = "UDP/TLS/RTP/SAVPF"

    def offer(self) -> Iterable[Attribute]:
        return (*self._identity(), Attribute("setup", "actpass"))

    def answer(
        self, offer: SessionDescription, medium: MediaDescription, address: str
    ) -> Iterable[Attribute] | None:
        named = medium.attribute("fingerprint") or offer.attribute("fingerprint")
        return (*self._identity(), Attribute("setup", "active")) if named else None

    def _identity(self) -> Iterable[Attribute]:
        candidate = "1 1 udp 2122260223 192.0.2.1 40000 typ host"
        return (
            Attribute("ice-ufrag", "u"),
            Attribute("ice-pwd", "p"),
            Attribute("candidate", candidate),
            Attribute("fingerprint", self.fingerprint),
        )


def session(host: str = "192.0.2.1") -> Negotiation:
    return Negotiation(Origin("-", 7, 1, host), host)


def stream(*profiles: Profile, capabilities: Capabilities = G711) -> dict[str, MediaStream]:
    return {"audio": MediaStream("audio", capabilities, 40000, profiles=profiles)}


def media(description: SessionDescription) -> list[str]:
    return [line for medium in description.media for line in medium.lines if "rtpmap" not in line]


def test_keys_in_both_directions() -> None:
    alice = session().offer(stream(Sdes("alice")))
    bob = session("192.0.2.2").answer(parse(str(alice.local)), stream(Sdes("bob")))
    alice = alice.answered(parse(str(bob.local)))
    assert [media(side.local) for side in (alice, bob)] == [
        [
            "m=audio 40000 RTP/SAVP 0 8",
            "a=ptime:20",
            f"a=crypto:1 {SUITE} inline:alice",
            "a=sendrecv",
        ],
        ["m=audio 40000 RTP/SAVP 0", "a=ptime:20", f"a=crypto:1 {SUITE} inline:bob", "a=sendrecv"],
    ]
    heard = [side.agreements["audio"].attribute_values("crypto") for side in (alice, bob)]
    assert heard == [(f"1 {SUITE} inline:bob",), (f"1 {SUITE} inline:alice",)]


def test_a_suite_that_we_do_not_have_sends_us_on_to_the_next_m_line() -> None:
    """A desk phone offers SRTP and, in a second m-line, plain RTP."""
    offer = parse(endpoints.DESK_PHONE.replace(SUITE, "AEAD_AES_256_GCM"))
    answer = session("2001:db8::1").answer(offer, stream(Sdes("ours"), PlainRtp()))
    assert [str(medium.line) for medium in answer.local.media] == [
        "audio 0 RTP/SAVP 9 8 0 101",
        "audio 40000 RTP/AVP 8",
    ]


def test_the_desk_phone_s_first_choice_is_taken_where_it_can_be() -> None:
    answer = session("2001:db8::1").answer(parse(endpoints.DESK_PHONE), stream(Sdes("ours"), PlainRtp()))
    agreement = answer.agreements["audio"]
    assert (agreement.index, agreement.protocol) == (0, "RTP/SAVP")
    assert media(answer.local) == [
        "m=audio 40000 RTP/SAVP 8",
        "a=ptime:20",
        f"a=crypto:1 {SUITE} inline:ours",
        "a=sendrecv",
        "m=audio 0 RTP/AVP 9 8 0 101",
    ]


def test_a_re_offer_stays_with_the_profile_in_use() -> None:
    plain = parse("v=0\no=- 1 1 IN IP4 192.0.2.2\nc=IN IP4 192.0.2.2\nm=audio 5000 RTP/AVP 0")
    ours = stream(Sdes("ours"), PlainRtp())
    again = session().answer(plain, ours).offer(ours)
    assert media(again.local) == ["m=audio 40000 RTP/AVP 0 8", "a=ptime:20", "a=sendrecv"]


def test_secure_and_plain_are_offered_side_by_side() -> None:
    """Two streams of one application: the peer takes whichever it can."""
    ours = stream(Sdes("ours")) | {"plain": MediaStream("audio", G711, 40000)}
    offered = session().offer(ours)
    taken = [
        list(offered.answered(session("192.0.2.2").answer(offered.local, theirs).local).agreements)
        for theirs in (stream(PlainRtp()), stream(Sdes("theirs")))
    ]
    assert taken == [["plain"], ["audio"]]


def test_a_browser_is_answered() -> None:
    answer = session().answer(parse(endpoints.BROWSER), stream(Dtls("sha-256 AA:BB"), capabilities=MUXED))
    assert media(answer.local) == [
        "m=audio 40000 UDP/TLS/RTP/SAVPF 0",
        "a=ptime:20",
        "a=rtcp-mux",
        "a=ice-ufrag:u",
        "a=ice-pwd:p",
        "a=candidate:1 1 udp 2122260223 192.0.2.1 40000 typ host",
        "a=fingerprint:sha-256 AA:BB",
        "a=setup:active",
        "a=sendrecv",
        "m=video 0 UDP/TLS/RTP/SAVPF 96",
    ]
    agreement = answer.agreements["audio"]
    assert len(agreement.attribute_values("candidate")) == 2
    assert agreement.attribute_values("ice-ufrag") == ("F7gI",)
    assert (agreement.rtcp_mux, agreement.rtcp_port) == (True, 50411)


def test_a_fingerprint_may_stand_in_the_session_part() -> None:
    """RFC 8122 §5: it then holds for all m-lines without one of their own."""
    offer = parse(
        "v=0\no=- 1 1 IN IP4 192.0.2.2\nc=IN IP6 2001:db8::2\na=fingerprint:sha-256 CC\na=setup:actpass\n"
        "m=audio 9 UDP/TLS/RTP/SAVPF 0"
    )
    agreement = session().answer(offer, stream(Dtls("sha-256 AA"))).agreements["audio"]
    assert agreement.attribute_values("fingerprint") == ("sha-256 CC",)
    assert agreement.attribute_values("setup") == ("actpass",)
    assert agreement.attribute_values("candidate") == ()


def test_a_new_candidate_is_a_new_version() -> None:
    first = session().offer(stream(Dtls("sha-256 AA")))
    assert first.offer(stream(Dtls("sha-256 AA"))).local is first.local
    assert first.offer(stream(Dtls("sha-256 BB"))).local.origin.session_version == 2


def test_an_offer_that_came_to_nothing_binds_the_next_one_only_in_one_session() -> None:
    refused = session().offer(stream(PlainRtp()))
    secure = stream(Sdes("AA"), PlainRtp())
    assert refused.offer(secure).local.media[0].protocol == "RTP/AVP"
    again = refused.afresh().offer(secure).local
    assert again.media[0].protocol == "RTP/SAVP"
    assert again.origin == attrs.evolve(refused.local.origin, session_version=2)
