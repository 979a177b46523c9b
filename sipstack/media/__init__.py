"""The media of calls: RTP over UDP, G.711, files to play and to record.

``AudioSession`` is the media of one call behind the four methods of ``MediaPort``; its ``audio`` is what an
application works with. Only the standard library and attrs are imported here. Other audio formats
(``conversion``) and aiortc's tracks (``tracks``) need the ``media`` extra, and are imported when used.
"""

from __future__ import annotations

from sipstack.media.audio import Audio, Frame, MediaStatistics
from sipstack.media.clock import MediaClock
from sipstack.media.io import AudioSink, AudioSource, PcmSource
from sipstack.media.port import MediaPort
from sipstack.media.recording import Recording
from sipstack.media.session import AudioSession
from sipstack.media.tones import melody, sine

__all__ = [
    "Audio",
    "AudioSession",
    "AudioSink",
    "AudioSource",
    "Frame",
    "MediaClock",
    "MediaPort",
    "MediaStatistics",
    "PcmSource",
    "Recording",
    "melody",
    "sine",
]
