"""Silent media: it negotiates as real media does, and sends nothing."""

from __future__ import annotations

import random

import pytest

from sipstack.errors import CallEnded, LocalProtocolError, NegotiationError
from sipstack.identifiers import Identifiers
from sipstack.media.audio import Frame
from sipstack.sdp import Direction, parse
from sipstack.testing.media import SilentMedia

VIDEO_ONLY = parse(b"v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nt=0 0\r\nm=video 4000 RTP/AVP 96\r\n")


def silent(host: str = "10.0.0.1") -> SilentMedia:
    return SilentMedia(host, Identifiers(random.Random(1)))


async def test_offer_and_answer_agree_on_a_codec_and_directions() -> None:
    alice, bob = silent(), silent("10.0.0.2")
    assert (alice.direction, alice.audio.codec) == (None, None)
    offer = await alice.offer(Direction.SENDONLY)
    await alice.answered(await bob.answer(offer))
    assert (alice.direction, bob.direction) == (Direction.SENDONLY, Direction.RECVONLY)
    assert (alice.audio.codec, bob.audio.codec) == ("PCMU", "PCMU")
    assert (alice.closed, bob.closed) == (False, False)


async def test_the_version_rises_when_the_description_changes() -> None:
    alice = silent()
    first, same, held = await alice.offer(), await alice.offer(), await alice.offer(Direction.SENDONLY)
    versions = [description.origin.session_version for description in (first, same, held)]
    assert [version - versions[0] for version in versions] == [0, 0, 1]


async def test_the_same_seed_gives_the_same_description() -> None:
    assert await silent().offer() == await silent().offer()


async def test_nothing_in_common() -> None:
    with pytest.raises(NegotiationError):
        await silent().answer(VIDEO_ONLY)


async def test_an_answer_to_nothing() -> None:
    alice, bob = silent(), silent("10.0.0.2")
    answer = await alice.answer(await bob.offer())
    with pytest.raises(LocalProtocolError, match="no offer of ours"):
        await alice.answered(answer)


async def test_closed_media_takes_no_part_any_more() -> None:
    alice, bob = silent(), silent("10.0.0.2")
    offer = await bob.offer()
    await alice.close()
    await alice.close()
    assert alice.closed
    for use in (alice.offer(), alice.answer(offer), alice.answered(offer)):
        with pytest.raises(LocalProtocolError, match="the media is closed"):
            await use
    with pytest.raises(CallEnded):
        await alice.audio.send(Frame(bytes(320)))


async def test_its_repr_tells_where_and_what() -> None:
    alice = silent()
    assert repr(alice) == "<SilentMedia 10.0.0.1 codec=None>"
    await alice.close()
    assert repr(alice) == "<SilentMedia 10.0.0.1 codec=None closed>"
