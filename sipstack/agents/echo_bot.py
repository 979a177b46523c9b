"""A voice bot to copy: it says what you said, once you pause, and is silent as soon as you speak.

``await ua.serve(echo_bot)`` answers calls with it. Put speech recognition, a model and speech synthesis where
``said`` is played, and it is an assistant.
"""

from __future__ import annotations

import math
from array import array

from sipstack import Audio, Frame, Invitation
from sipstack.media.io import PcmSource

LOUD = 500.0
"""From this root mean square on (of 32,767) a frame is speech: some -36 dB of full scale."""
PAUSE = 0.6
"""Seconds of silence that end what is said."""


def is_speech(frame: Frame) -> bool:
    """Whether somebody speaks, by the energy."""
    samples = array("h", frame.pcm)
    return math.sqrt(sum(sample * sample for sample in samples) / len(samples)) >= LOUD


async def utterance(audio: Audio, begun: bytes = b"") -> bytes:
    """What is said next, until a pause; ``begun`` is its beginning. Empty at the end of the call."""
    said, silence = bytearray(begun), 0.0
    async for frame in audio:
        silence = 0.0 if is_speech(frame) else silence + len(frame.pcm) / 2 / frame.sample_rate
        if said or not silence:
            said += frame.pcm
        if said and silence >= PAUSE:
            return bytes(said)
    return b""


async def echo_bot(invitation: Invitation) -> None:
    """Answer, and talk with the caller until the call ends."""
    async with invitation.accept() as call:
        begun = b""
        while said := await utterance(call.audio, begun):
            begun = b""
            async with call.playing(PcmSource(said, call.audio.sample_rate)) as answer:
                async for frame in call.audio:
                    if is_speech(frame):  # barge-in: leaving the block cuts the answer off
                        begun = frame.pcm
                        break
                    if answer.done:
                        break
