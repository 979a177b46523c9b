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


MediaEvent = MediaFailed | MediaChanged | PeerLost
Listener = Callable[[MediaEvent], None]
