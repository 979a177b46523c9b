"""aiortp under the load of ``media``; run in an environment of its own: see ``media_seat``.

It plays out by its clock and paces what it sends (``playout``, ``paced``). Each frame that it gives has the
next one sent: no task of ours is in between, as there is in our own calls.
"""

from __future__ import annotations

import asyncio
import logging
import math
import struct
import sys

from aiortp import RTPSession  # type: ignore[import-not-found]

from interop.bench.media_seat import HOST, destinations, serve

TONE = b"".join(
    struct.pack("<h", round(16384 * math.sin(2 * math.pi * 450 * at / 8000))) for at in range(160)
)
AHEAD = 2
"""Frames that wait to be sent, so that the pacer does not run dry between two frames that are heard."""


class Call:
    """One session, which talks as soon as it hears."""

    def __init__(self, session: RTPSession) -> None:
        self._session = session
        self._has_begun = False
        session.on_audio = self._take

    @property
    def port(self) -> int:
        """Its RTP port."""
        number: int = self._session._rtp_transport._transport.get_extra_info("sockname")[1]
        return number

    @property
    def received(self) -> int:
        """Packets of audio that came."""
        return int(self._session.stats.get("packets_received", 0))

    def _take(self, pcm: bytes, timestamp: int) -> None:
        if not self._has_begun:
            self._has_begun = True
            for _ in range(AHEAD):
                self._session.send_audio_pcm_auto(TONE)
        self._session.send_audio_pcm_auto(TONE)


async def main(arguments: list[str]) -> None:
    """Serves until the standard input ends."""
    logging.disable(logging.CRITICAL)
    sessions = [
        await RTPSession.create((HOST, 0), (HOST, port), payload_type=0, playout=True, paced=True)
        for port in destinations(arguments)
    ]
    calls = [Call(session) for session in sessions]
    await serve([call.port for call in calls], lambda: sum(call.received for call in calls))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
