"""aiortc's media tracks in calls: what its MediaPlayer opens can be played, its MediaRecorder can record.

Needs the ``media`` extra; this is the only file that imports aiortc.
"""

from __future__ import annotations

import asyncio
from collections import deque
from fractions import Fraction

from sipstack.errors import MediaError
from sipstack.media.conversion import AudioFrame, Converter, audio_frame
from sipstack.media.feed import AHEAD, Pumped
from sipstack.media.io import FRAMES_PER_SECOND

try:
    from aiortc import MediaStreamTrack
    from aiortc.mediastreams import MediaStreamError
except ImportError as error:
    raise MediaError("media tracks need aiortc: pip install 'sipstack[media]'") from error

BEHIND = 50
"""Frames (one second) kept for a recorder that is slow; then the oldest are dropped."""


class TrackSource(Pumped):
    """Plays an audio track: ``await call.play(TrackSource(MediaPlayer("tune.ogg").audio))``.

    Needs a running event loop. ``close`` stops the track too.
    """

    def __init__(self, track: MediaStreamTrack, sample_rate: int = 8000) -> None:
        super().__init__(sample_rate)
        self._track = track
        self._task = asyncio.get_running_loop().create_task(self._pump(), name="sipstack track source")

    def rewind(self) -> None:
        raise MediaError("a track cannot be played again: let MediaPlayer loop")

    def close(self) -> None:
        self._task.cancel()
        self._track.stop()

    async def _pump(self) -> None:
        """A track hands out frames to whoever waits: that must not be the media clock."""
        converter = Converter(self.sample_rate)
        try:
            while True:
                frame = await self._track.recv()
                if not isinstance(frame, AudioFrame):
                    raise MediaError("not an audio track")
                self._buffer += converter.convert(frame)
                while len(self._buffer) > AHEAD * self._octets:
                    self._room.clear()
                    await self._room.wait()
        except MediaStreamError:  # its way to say that the track has ended
            self._buffer += converter.convert(None)
        except MediaError as error:
            self._error = error
        except ValueError as error:
            self._error = MediaError(f"a frame of the track cannot be converted: {error}")


class SinkTrack(MediaStreamTrack):
    """The sound of a call as a track: ``recorder.addTrack(sink)``, then ``call.recording(sink)``.

    A WebRTC peer or a recorder gets frames of ``sample_rate``, whichever the call has.
    """

    kind = "audio"

    def __init__(self, sample_rate: int = 8000) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self._frames: deque[bytes] = deque(maxlen=BEHIND)
        self._arrived = asyncio.Event()
        self._timestamp = 0
        self._closed = False

    def write(self, pcm: bytes) -> None:
        self._frames.append(pcm)
        self._arrived.set()

    def close(self) -> None:
        """The recorder gets what is left, then the end of the track."""
        self._closed = True
        self._arrived.set()

    async def recv(self) -> AudioFrame:
        while not self._frames:
            if self._closed or self.readyState != "live":
                self.stop()
                raise MediaStreamError
            self._arrived.clear()
            await self._arrived.wait()
        frame = audio_frame(self._frames.popleft(), self.sample_rate)
        frame.pts = self._timestamp
        frame.time_base = Fraction(1, self.sample_rate)
        self._timestamp += self.sample_rate // FRAMES_PER_SECOND
        return frame
