"""The media of calls: RTP over UDP, G.711, files to play and to record.

``AudioSession`` is the media of one call behind ``MediaPort``; its ``audio`` is what an application works
with, and a ``MediaEvent`` is news that comes by itself. Only the standard library and attrs are imported
here. Other audio formats (``conversion``) and aiortc's tracks (``tracks``) need the ``media`` extra, and are
imported when used.
"""

from __future__ import annotations

from sipstack.media.audio import Audio, Frame, MediaStatistics, PeerReport
from sipstack.media.clock import MediaClock
from sipstack.media.events import Listener, MediaChanged, MediaEvent, MediaFailed, PeerLost, SourceLeft
from sipstack.media.io import AudioSink, AudioSource, PcmSource
from sipstack.media.port import MediaPort, audio_of
from sipstack.media.recording import Recording
from sipstack.media.session import AudioSession
from sipstack.media.tones import melody, sine

__all__ = [
    "Audio",
    "AudioSession",
    "AudioSink",
    "AudioSource",
    "Frame",
    "Listener",
    "MediaChanged",
    "MediaClock",
    "MediaEvent",
    "MediaFailed",
    "MediaPort",
    "MediaStatistics",
    "PcmSource",
    "PeerLost",
    "PeerReport",
    "Recording",
    "SourceLeft",
    "audio_of",
    "melody",
    "sine",
]
