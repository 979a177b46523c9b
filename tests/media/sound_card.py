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
        """Why it says nothing, though it can be heard."""
        self.inputs: list[Stream] = []
        self.outputs: list[Stream] = []
        self.module = ModuleType("sounddevice")
        members: dict[str, Any] = {
            "PortAudioError": PortAudioError,
            "RawInputStream": self._listen,
            "RawOutputStream": self._speak,
            "query_devices": self._query,
            "check_input_settings": self._check,
            "check_output_settings": self._check,
        }
        vars(self.module).update(members)
        self._mute = mute

    @property
    def running(self) -> bool:
        return any(stream.running for stream in (*self.inputs, *self.outputs))

    def turn(self, heard: bytes | None = None, *, late: bool = False) -> bytes:
        """20 ms of the device pass; what it says."""
        self.inputs[-1].hear(heard, late)
        return self.outputs[-1].say(late)

    def _query(self, device: str | int | None = None, kind: str | None = None) -> Any:
        if kind is None:
            return [] if self._mute else ["a card"]
        if device == "nobody's":
            raise ValueError("No input device matching 'nobody\\'s'")
        return {"default_samplerate": float(self.rates[0])}

    def _check(self, device: str | int | None, *, channels: int, dtype: str, samplerate: int) -> None:
        assert (channels, dtype) == (1, "int16")
        if samplerate not in self.rates:
            raise PortAudioError("Invalid sample rate")

    def _listen(self, **settings: Any) -> Stream:
        self.inputs.append(Stream(**settings))
        return self.inputs[-1]

    def _speak(self, **settings: Any) -> Stream:
        if self.refusal is not None:
            raise self.refusal
        self.outputs.append(Stream(**settings))
        return self.outputs[-1]


class Stream:
    """As those of sounddevice: ``hear`` and ``say`` are calls from PortAudio's thread."""

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

    def hear(self, block: bytes | None, late: bool) -> None:
        self._callback(block or bytes(self.blocksize * 2), self.blocksize, None, late)

    def say(self, late: bool) -> bytes:
        block = memoryview(bytearray(b"\x7f" * self.blocksize * 2))
        self._callback(block, self.blocksize, None, late)
        return bytes(block)

    def unplug(self) -> None:
        self._finished()


def install(monkeypatch: pytest.MonkeyPatch, card: Card) -> Card:
    monkeypatch.setitem(sys.modules, "sounddevice", card.module)
    return card
