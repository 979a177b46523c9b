"""News of the media of a call, which come without being asked for: see ``MediaPort.attach``."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from sipstack.errors import SipError


@attrs.frozen
class MediaFailed:
    """The media is broken and stays so: nothing is sent or heard any more. The call should end."""

    error: SipError


@attrs.frozen
class MediaChanged:
    """Our description has changed, by a new address or candidate: the peer needs a further offer."""


@attrs.frozen
class PeerLost:
    """Nothing was received from the peer for ``silence`` seconds, though it should send."""

    silence: float


@attrs.frozen
class SourceLeft:
    """The source that is heard has said that it sends no more (RTCP BYE), with a ``reason`` or "".

    It ends no call, for signalling does that: another source may follow, as after a transfer.
    """

    reason: str = ""


MediaEvent = MediaFailed | MediaChanged | PeerLost | SourceLeft
Listener = Callable[[MediaEvent], None]
