"""What a stream of ours can use."""

from __future__ import annotations

import attrs
import pytest

from sipstack.errors import LocalProtocolError
from sipstack.sdp import STATIC_CODECS, Capabilities, Codec

PCMU = STATIC_CODECS[0]
OPUS = Codec(96, "opus", 48000, 2, "useinbandfec=1")
EVENTS = Codec(101, "telephone-event", 8000, 1, "0-16")


@pytest.mark.parametrize(
    "codecs",
    [(), (EVENTS,), (PCMU, Codec(0, "x", 8000)), (Codec(128, "x", 8000),), (Codec(-1, "x", 8000),)],
)
def test_capabilities_that_cannot_be(codecs: tuple[Codec, ...]) -> None:
    with pytest.raises(LocalProtocolError):
        Capabilities(codecs)


def test_our_codecs_are_found_by_what_they_are() -> None:
    twice = Capabilities((OPUS, Codec(97, "OPUS", 48000, 2), PCMU))
    assert twice.by_key == {OPUS.key: OPUS, PCMU.key: PCMU}


def test_what_capabilities_share_cannot_be_changed() -> None:
    """They are kept from call to call."""
    ours = Capabilities((OPUS, PCMU, EVENTS))
    for shared, key in ((ours.by_key, PCMU.key), (STATIC_CODECS, 0)):
        with pytest.raises(TypeError):
            shared[key] = OPUS  # type: ignore[index]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        ours.codecs = ()  # type: ignore[misc]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        PCMU.clock_rate = 1  # type: ignore[misc]
