"""Candidates in INFO inside of whole calls (RFC 8840 §4.3)."""

from __future__ import annotations

import pytest

from sipstack import AudioSession, Invitation, UserAgent
from sipstack.sdp import IceFragment
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World

pytestmark = pytest.mark.virtual_time

SDP = b"v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
FRAGMENT = (
    b"a=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=ice-ufrag:8hhY\r\nm=audio 9 RTP/AVP 0\r\na=mid:1\r\n"
    b"a=candidate:1 1 UDP 2130706432 10.0.0.9 5000 typ host\r\na=end-of-candidates\r\n"
)
HEADERS = [
    ("Info-Package", "trickle-ice"),
    ("Content-Type", "application/trickle-ice-sdpfrag"),
    ("Content-Disposition", "Info-Package"),
]


class Told:
    """What the media of a call is told."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fragments: list[IceFragment] = []
        self._world = world
        self._monkeypatch = monkeypatch

    def media(self, host: str) -> AudioSession:
        made = self._world.audio_session(host)
        self._monkeypatch.setattr(made, "trickled", lambda *fragments: self.fragments.extend(fragments))
        return made


async def answer(invitation: Invitation) -> None:
    async with invitation.accept() as call:
        await call.ended()


@pytest.mark.parametrize(
    ("body", "status", "ports"),
    [
        (FRAGMENT, 200, [5000]),
        (FRAGMENT.replace(b"8hhY", b"?"), 400, []),
        (b"hello", 400, []),
    ],
)
async def test_candidates_go_to_the_media_of_their_call(
    world: World, monkeypatch: pytest.MonkeyPatch, body: bytes, status: int, ports: list[int]
) -> None:
    told = Told(world, monkeypatch)
    assert await informed(world, world.user_agent("bob", media=told.media), body) == status
    assert [each.port for fragment in told.fragments for each in fragment.ice.candidates] == ports
    assert world.leftovers == []


async def test_media_that_has_no_use_for_them_does_not_mind(world: World) -> None:
    assert await informed(world, world.user_agent("bob"), FRAGMENT) == 200
    assert world.leftovers == []


async def informed(world: World, bob: UserAgent, body: bytes) -> int:
    """How Bob answers an INFO with this body in the middle of a call, which goes on until its BYE."""
    async with bob, ScriptedPeer(world, "carol") as carol, bob.serving(answer):
        at = (world.names["bob.test"][0], 5060)
        carol.send(at, carol.write("INVITE", "sip:bob.test", body=SDP))
        await carol.responded(1)
        accepted = carol.response
        carol.send(at, carol.inside(accepted, "ACK", 1))
        carol.send(at, carol.inside(accepted, "INFO", 2, headers=HEADERS, body=body))
        await carol.responded(2)
        status = carol.responses[-1].status
        carol.send(at, carol.inside(accepted, "BYE", 3))
        await carol.responded(3)
        assert carol.responses[-1].status == 200
    return status
