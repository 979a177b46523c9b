"""Groups of m-lines: a=mid (RFC 5888) and a=group:BUNDLE (RFC 9143), of which we take one m-line."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
import pytest

from sipstack.sdp import (
    STATIC_CODECS,
    Attribute,
    Capabilities,
    MediaDescription,
    MediaStream,
    Negotiation,
    Origin,
    SessionDescription,
    name_of,
    parse,
)

G711 = Capabilities((STATIC_CODECS[0],), rtcp_mux=True)


@attrs.frozen
class Named:
    """A profile that names its m-line as the offer does."""

    protocol: str = "UDP/TLS/RTP/SAVPF"

    def offer(self) -> Iterable[Attribute]:
        return (Attribute("mid", "0"),)

    def answer(
        self, offer: SessionDescription, medium: MediaDescription, address: str
    ) -> Iterable[Attribute] | None:
        name = name_of(medium)
        return (Attribute("mid", name),) if name else ()


def session() -> Negotiation:
    return Negotiation(Origin("-", 7, 1, "192.0.2.1"), "192.0.2.1")


def streams() -> dict[str, MediaStream]:
    return {"audio": MediaStream("audio", G711, 4000, profiles=(Named(),))}


def offer(*lines: str, group: str = "BUNDLE a v") -> SessionDescription:
    head = ["v=0", "o=- 1 1 IN IP4 192.0.2.9", "s=-", "c=IN IP4 192.0.2.9", "t=0 0"]
    return parse("\r\n".join((*head, f"a=group:{group}", *lines, "")).encode())


AUDIO = ("m=audio 5000 UDP/TLS/RTP/SAVPF 0", "a=mid:a", "a=rtcp-mux")
VIDEO = ("m=video 5000 UDP/TLS/RTP/SAVPF 96", "a=mid:v", "a=rtpmap:96 VP8/90000", "a=rtcp-mux")
DATA = ("m=application 5000 UDP/DTLS/SCTP webrtc-datachannel", "a=mid:d")


@pytest.mark.parametrize("lines", [(*AUDIO, *VIDEO), (*VIDEO, *AUDIO), (*DATA, *AUDIO, *VIDEO)])
def test_only_the_audio_of_a_group_is_accepted_and_the_order_is_kept(lines: tuple[str, ...]) -> None:
    offered = offer(*lines, group="BUNDLE a v d")
    answer = session().answer(offered, streams()).local
    assert answer.attribute_values("group") == ("BUNDLE a",)
    assert [medium.kind for medium in answer.media] == [medium.kind for medium in offered.media]
    assert [medium.kind for medium in answer.media if not medium.rejected] == ["audio"]
    assert [medium.attribute("mid") for medium in answer.media if not medium.rejected] == ["a"]


def test_an_offer_without_a_group_is_answered_without() -> None:
    answer = session().answer(offer(*AUDIO, group="LS a"), streams()).local
    assert answer.attribute("group") is None


def test_audio_beside_the_group_stays_beside_it() -> None:
    answer = session().answer(offer(*AUDIO, *VIDEO, group="BUNDLE v"), streams()).local
    assert answer.attribute("group") is None


def test_our_offer_is_a_group_of_one() -> None:
    made = session().offer(streams())
    assert made.local.attribute_values("group") == ("BUNDLE 0",)
    assert made.offer(streams()).local == made.local


def test_plain_rtp_has_neither_name_nor_group() -> None:
    plain = {"audio": MediaStream("audio", Capabilities((STATIC_CODECS[0],)), 4000)}
    assert session().offer(plain).local.attribute("group") is None


@pytest.mark.parametrize("name", ["", "a b", "ä", "x" * 65])
def test_a_name_that_cannot_be_written_is_no_name(name: str) -> None:
    """An answer repeats it: it must not break out of its line."""
    medium = offer("m=audio 5000 UDP/TLS/RTP/SAVPF 0", f"a=mid:{name}").media[0]
    assert name_of(medium) is None
