"""A sound device that the test works, in place of the module ``sounddevice``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest


class PortAudioError(Exception):
    """As sounddevice raises it."""


class Card:
    """A sound device that hears and says a block whenever the test wants, and knows these rates."""

    def __init__(self, *rates: int, mute: bool = False) -> None:
        self.rates = rates
        self.refusal: Exception | None = None
        self.streams: list[Stream] = []
        self.wanted: list[str | int | None] = []
        self.module = ModuleType("sounddevice")
        members: dict[str, Any] = {
            "PortAudioError": PortAudioError,
            "RawStream": self._open,
            "query_devices": self._query,
            "check_input_settings": self._check,
            "check_output_settings": self._check,
        }
        vars(self.module).update(members)
        self._mute = mute

    def _query(self, device: str | int | None = None, kind: str | None = None) -> Any:
        if kind is None:
            return [] if self._mute else ["a card"]
        if device == "nobody's":
            raise ValueError("No input device matching 'nobody\\'s'")
        return {"default_samplerate": float(self.rates[0])}

    def _check(self, device: str | int | None, *, channels: int, dtype: str, samplerate: int) -> None:
        assert (channels, dtype) == (1, "int16")
        self.wanted.append(device)
        if samplerate not in self.rates:
            raise PortAudioError("Invalid sample rate")

    def _open(self, **settings: Any) -> Stream:
        if self.refusal is not None:
            raise self.refusal
        self.streams.append(Stream(**settings))
        return self.streams[-1]


class Stream:
    """As sounddevice.RawStream: ``turn`` is a call from PortAudio's thread."""

    def __init__(
        self,
        *,
        samplerate: int,
        blocksize: int,
        device: str | int | None,
        callback: Callable[..., None],
        finished_callback: Callable[[], None],
        **rest: Any,
    ) -> None:
        self.samplerate, self.blocksize, self.device = samplerate, blocksize, device
        self._callback, self._finished = callback, finished_callback
        self.running = False

    def start(self) -> None:
        self.running = True

    def close(self, ignore_errors: bool) -> None:
        self.running = False
        self._finished()

    def turn(self, heard: bytes | None = None, *, late: bool = False) -> bytes:
        said = memoryview(bytearray(b"\x7f" * self.blocksize * 2))
        self._callback(heard or bytes(self.blocksize * 2), said, self.blocksize, None, late)
        return bytes(said)

    def unplug(self) -> None:
        self._finished()


def install(monkeypatch: pytest.MonkeyPatch, card: Card) -> Card:
    monkeypatch.setitem(sys.modules, "sounddevice", card.module)
    return card
