"""The codecs by their names in SDP."""

from __future__ import annotations

import pytest

from sipstack.media.codecs import CODECS
from sipstack.media.tones import sine
from tests.media.hearing import purity


def test_what_there_is() -> None:
    assert sorted(CODECS) == ["PCMA", "PCMU"]


@pytest.mark.parametrize("name", sorted(CODECS))
def test_a_codec_keeps_its_promises(name: str) -> None:
    codec = CODECS[name]
    encoder, decoder = codec.encoder(codec.description), codec.decoder()
    payload = encoder.encode(sine(400.0, 0.02).read() or b"")
    assert codec.name == name
    assert codec.duration(payload) == codec.frame_units == 160
    assert purity(decoder.decode(payload), 400.0) > 0.999
    silence = encoder.encode(bytes(320))
    assert encoder.silence == silence
    assert max(decoder.decode(silence)[::2]) <= 8  # A-law has no zero


@pytest.mark.parametrize("name", sorted(CODECS))
def test_any_payload_can_be_decoded(name: str) -> None:
    for payload in (b"", b"\x00", bytes(range(256)) * 8):
        assert len(CODECS[name].decoder().decode(payload)) == 2 * len(payload)
