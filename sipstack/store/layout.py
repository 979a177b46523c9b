"""How the record of a session is laid out in octets. All names and numbers of the format are here.

    [version, flags, dialog, local, remote, extensions, application]
    [version, flags, dialog, local, remote, extensions, application, later]

Dialog, too, is an array, of the values of ``DIALOG`` in this order; the last three are maps, in which the
keys of ``WORDS`` are numbers. Later is what is not known here, by its name; it is there only when it is not
empty. It has the fields of the dialog that are not known under "dialog". Flags that are not known are one of
the values, "flags", and stay in their place.

A new field needs no new version: it is written with its name among those that come later, and older processes
keep it and write it back. What an older process must not pass over sets one of the critical flags, the lower
16: who does not know it refuses the record. Another layout, or more words, is a new version, and a function
in ``upgrades``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

EXTENSIONS, APPLICATION = 5, 6
PARTS = 6
"""Behind the version, without later."""

FLAGS: Mapping[str, int] = MappingProxyType({"is_caller": 1, "secure": 2, "early": 4})
"""What is true or false of a session, and its bit; all but the first are the dialog's."""
CRITICAL = 0xFFFF
HIGHEST_FLAGS = 2**32 - 1

DIALOG = (
    "call_id",
    "local_tag",
    "remote_tag",
    "local",
    "remote",
    "remote_target",
    "route_set",
    "local_cseq",
    "remote_cseq",
    "session_id",
)
DIALOG_TEXTS = DIALOG[:6]
OF_DIALOG = frozenset({*DIALOG, "secure", "early"})
OF_RECORD = frozenset({"dialog", "is_caller", "local", "remote", "extensions", "application"})

_OF_EXTENSIONS = (
    "timer",
    "interval",
    "left",
    "refreshing",
    "minimum",
    "supported",
    "updates",
    "recv-info",
    "theirs",
)
_OF_THE_USER_AGENT = ("media", "lasted", "data")
WORDS_OF_VERSION = ((*_OF_EXTENSIONS, *_OF_THE_USER_AGENT),)
"""The words that each version has added; a number is never given twice."""
WORDS: Mapping[str, int] = MappingProxyType(
    {word: number for number, word in enumerate((word for words in WORDS_OF_VERSION for word in words), 1)}
)
NAMES: Mapping[int, str] = MappingProxyType({number: word for word, number in WORDS.items()})

MOST_OCTETS = 65_536
"""Of a whole record."""
MOST_OF_APPLICATION = 8_192
MOST_OF_EXTENSIONS = 16_384
LONGEST_DESCRIPTION = 24_576
LONGEST_TEXT = 4_096
"""Characters of a field of the dialog, or of a route, as those of a description."""
MOST_ROUTES = 64
