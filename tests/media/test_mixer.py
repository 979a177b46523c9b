"""Conferences: each hears the others, and never itself."""

from __future__ import annotations

import pytest

from sipstack.errors import CallEnded, LocalProtocolError
from sipstack.media.audio import Audio
from sipstack.media.call_tones import NETWORKS, busy, ringback
from sipstack.media.mixer import Mixer
from tests.media.hearing import samples


def flat(value: int) -> bytes:
    return value.to_bytes(2, "little", signed=True) * 160


async def test_each_hears_the_two_others() -> None:
    parties = [Audio() for _ in range(3)]
    async with Mixer() as mixer:
        for party in parties:
            await mixer.add(party)
        for party, value in zip(parties, (1000, 2000, 4000), strict=True):
            party.write(flat(value))
        mixer._tick(0.0, 1)
        assert [party.read() for party in parties] == [flat(6000), flat(5000), flat(3000)]


async def test_who_only_listens_hears_all_and_who_talks_alone_hears_nothing() -> None:
    talker, listener = Audio(), Audio()
    async with Mixer() as mixer:
        await mixer.add(talker)
        await mixer.add(listener)
        talker.write(flat(1000))
        mixer._tick(0.0, 1)
        assert (talker.read(), listener.read()) == (None, flat(1000))


async def test_a_call_that_ends_leaves_and_one_is_in_one_conference_only() -> None:
    party = Audio()
    async with Mixer() as mixer, Mixer() as other:
        await mixer.add(party)
        with pytest.raises(LocalProtocolError, match="conference already"):
            await other.add(party)
        party.end(CallEnded("remote"))
        mixer._tick(0.0, 1)
        assert len(mixer) == 0


@pytest.mark.parametrize("country", NETWORKS)
def test_the_cadence_of_ringback(country: str) -> None:
    source = ringback(country)
    seconds = sum(length for _, length in NETWORKS[country].ringback)
    heard = b"".join(source.read() or b"" for _ in range(round(seconds * 50)))
    position = 0
    for name, length in NETWORKS[country].ringback:
        part = samples(heard)[position : position + round(length * 8000)]
        assert (max(part) > 3000) is bool(name)
        position += round(length * 8000)


def test_busy_begins_with_its_tone_and_loops() -> None:
    source = busy("nl")
    first = source.read()
    for _ in range(49):
        source.read()
    assert source.read() == first
