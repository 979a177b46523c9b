"""No record of a call has a key of its packets or a password, whatever protects it: calls with real media."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from sipstack import TracedMessage
from sipstack.media.session import AudioSession
from sipstack.outcome import Outcome
from sipstack.sdp.recordable import Keying, keying_of, recordable
from sipstack.store.memory import MemoryStore
from sipstack.store.record import decode, encode
from sipstack.testing.world import World
from sipstack.ua.keeping import Json
from sipstack.usage.invite.record import SessionRecord
from tests.media.webrtc.calls import connected, secured
from tests.media.wire import Wire
from tests.ua.handlers import Answering

pytestmark = pytest.mark.virtual_time


class Curious(MemoryStore):
    """Remembers all that was ever written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def put(
        self, key: str, record: bytes, epoch: int, lifetime: float, answer: Callable[[Outcome], None]
    ) -> None:
        self.written.append(record)
        super().put(key, record, epoch, lifetime, answer)


async def test_no_key_of_sdes_is_ever_written(world: World) -> None:
    """Also with hold, resume and new keys: each is a new state."""
    media: list[AudioSession] = []
    trace: list[TracedMessage] = []
    stores = Curious(), Curious()

    def make(host: str) -> AudioSession:
        bind = world._rtp.bind
        media.append(
            AudioSession(host, bind=bind, security="sdes", insecure_keys=True, is_ours=lambda _: True)
        )
        return media[-1]

    async with (
        world.user_agent("alice", media=make, sessions=stores[0], trace=trace.append) as alice,
        world.user_agent("bob", media=make, sessions=stores[1]) as bob,
        bob.serving(Answering()),
        alice.call("sip:bob@bob.test") as call,
    ):
        await call.hold()
        await call.resume()
        media[0].rekey()
        await call.hold()
    keys = {key for message in trace for key in re.findall(rb"inline:([^|\s]{40})", message.data)}
    assert len(keys) == 9  # four offered, one taken in the answer, four offered anew
    records = [decode(encode(read(octets))) for store in stores for octets in store.written]
    assert len(records) >= 6
    for octets in map(encode, records):
        assert not any(key in octets for key in keys)
    assert {SessionRecord.of_values(values).keying for values in records} == {Keying.SDES}


def read(octets: bytes) -> dict[str, object]:
    values = Json().decode(octets)
    assert isinstance(values, dict)
    return values


async def test_no_password_of_ice_is_in_what_is_kept_of_a_dtls_call() -> None:
    async with secured(Wire()) as call:
        await connected(call)
        local, remote = [text.encode() for text in await call.describe()]
    kept = recordable(local) + recordable(remote)
    passwords = re.findall(rb"a=ice-pwd:(\S+)", local + remote)
    assert len(passwords) == 2
    assert not any(password in kept for password in passwords)
    assert keying_of(recordable(local), recordable(remote)) is Keying.DTLS
