"""WAV files of 16-bit PCM, read and written as a stream by the standard library alone."""

from __future__ import annotations

import asyncio
import importlib
import stat
import sys
import wave
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from sipstack.errors import MediaError
from sipstack.media.io import AudioSink, AudioSource, frame_octets

FLUSH = 25
"""Frames (half a second) that an abrupt end of the process may cost a recording."""

ENDINGS = ("", ".wav", ".wave")
"""Of the names of files that are recorded as WAV."""

CONVERSION = "sipstack.media.conversion"

_ODD = (wave.Error, EOFError, RuntimeError)
"""The errors of the wave module for headers that it cannot read; RuntimeError for lengths that lie."""


def open_source(path: str | Path, sample_rate: int) -> AudioSource:
    """The audio file as a source at ``sample_rate``. Raises MediaError.

    16-bit mono WAV of that rate needs nothing else. Any other rate, width, number of channels or format goes
    through PyAV, which the ``media`` extra brings.
    """
    source = WavSource.if_plain(path, sample_rate)
    if source is not None:
        return source
    from sipstack.media.conversion import DecodedSource

    return DecodedSource(path, sample_rate)


async def open_off_loop(path: str | Path, sample_rate: int) -> AudioSource:
    """As ``open_source``, and the loop runs on: PyAV takes a quarter of a second to be imported, and a while
    to look into a file. Plain WAV is opened at once.
    """
    source = WavSource.if_plain(path, sample_rate)
    if source is not None:
        return source
    opening = asyncio.get_running_loop().run_in_executor(None, open_source, path, sample_rate)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close)
        raise


def _close(opening: asyncio.Future[AudioSource]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


async def create_sink(sink: str | Path | AudioSink, sample_rate: int, channels: int = 1) -> AudioSink:
    """Where PCM at ``sample_rate`` is to be recorded. Raises MediaError when that cannot be done.

    The ending of a file's name tells its format; formats other than WAV, and sinks with another
    ``sample_rate``, go through PyAV, which the ``media`` extra brings.
    """
    if isinstance(sink, str | Path):
        if Path(sink).suffix.lower() in ENDINGS:
            return WavSink(sink, sample_rate, channels)
        await load_conversion()
        from sipstack.media.conversion import EncodedSink

        return EncodedSink(sink, sample_rate, channels)
    rate: int = getattr(sink, "sample_rate", sample_rate)
    if rate == sample_rate:
        return sink
    await load_conversion()
    from sipstack.media.conversion import ResampledSink

    return ResampledSink(sink, sample_rate, rate, channels)


async def load_conversion() -> None:
    """Import ``sipstack.media.conversion``, in a thread when that is the first time. Raises MediaError."""
    if CONVERSION not in sys.modules:
        await asyncio.get_running_loop().run_in_executor(None, importlib.import_module, CONVERSION)


def check_kind(path: str | Path, *kinds: Callable[[int], bool]) -> None:
    """Raises MediaError when the path is something else than these: opening a FIFO waits for its other end,
    and with it all calls of the process. What opening reports better itself is let through.
    """
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return
    if not any(kind(mode) for kind in kinds):
        raise MediaError(f"{path}: not a file")


class WavSource:
    """Plays an open WAV file of 16-bit mono PCM."""

    def __init__(self, path: str | Path, file: wave.Wave_read) -> None:
        self.sample_rate = file.getframerate()
        self._path = path
        self._file = file
        self._samples = frame_octets(self.sample_rate) // 2

    @classmethod
    def if_plain(cls, path: str | Path, sample_rate: int) -> WavSource | None:
        """The file, None when it must be converted. Raises MediaError when it cannot be read."""
        check_kind(path, stat.S_ISREG, stat.S_ISDIR)
        try:
            file = wave.open(str(path), "rb")  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise MediaError(f"{path}: {error.strerror or error}") from error
        except _ODD:
            return None
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (sample_rate, 1, 2):
            file.close()
            return None
        return cls(path, file)

    def read(self) -> bytes | None:
        try:
            pcm = self._file.readframes(self._samples)
        except (OSError, *_ODD) as error:
            raise MediaError(f"{self._path}: {error}") from error
        return pcm[: len(pcm) & ~1]

    def rewind(self) -> None:
        self._file.rewind()

    def close(self) -> None:
        self._file.close()


class WavSink:
    """Records 16-bit PCM. The file is a whole WAV file at any time, at most half a second behind."""

    LARGEST: ClassVar = 0xFFFFFF00
    """Octets of samples: the lengths in the header have 32 bits."""

    def __init__(self, path: str | Path, sample_rate: int = 8000, channels: int = 1) -> None:
        self._path = path
        self._pending: list[bytes] = []
        self._octets = 0
        self._file: wave.Wave_write | None = None
        check_kind(path, stat.S_ISREG, stat.S_ISDIR, stat.S_ISCHR)
        try:
            self._raw = Path(path).open("wb")  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise self._error(error) from error
        file = wave.open(self._raw, "wb")  # noqa: SIM115 - as above
        file.setparams((channels, 2, sample_rate, 0, "NONE", ""))
        self._file = file
        self._store(file)

    def write(self, pcm: bytes) -> None:
        if self._file is None:
            return
        self._octets += len(pcm)
        if self._octets > self.LARGEST:
            self.close()
            raise MediaError(f"{self._path}: the recording has reached the size limit of WAV")
        self._pending.append(pcm)
        if len(self._pending) >= FLUSH:
            self._store(self._file)

    def close(self) -> None:
        if self._file is None:
            return
        self._store(self._file)
        self._abandon()

    def _store(self, file: wave.Wave_write) -> None:
        """Append what is pending; ``writeframes`` then puts the new length into the header."""
        try:
            file.writeframes(b"".join(self._pending))
            self._raw.flush()
        except OSError as error:
            self._abandon()
            raise self._error(error) from error
        self._pending.clear()

    def _abandon(self) -> None:
        """Close the file as it is. After an error that fails again, and closes it all the same."""
        file, self._file = self._file, None
        for closable in (file, self._raw):
            if closable is not None:
                with suppress(OSError):
                    closable.close()

    def _error(self, error: OSError) -> MediaError:
        return MediaError(f"{self._path}: {error.strerror or error}")
