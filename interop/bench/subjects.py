"""The user agents that are measured as a UAS, and how each is started."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs

from interop.bench import loops
from interop.bench.peers import asterisk, environments, kamailio
from interop.bench.server import Recipe, StartError, python

SIPP = Recipe(
    "sipp -sn uas",
    [
        "sipp",
        "-sn",
        "uas",
        "-i",
        "127.0.0.1",
        "-p",
        "{port}",
        "-bind_local",
        "-nostdin",
        "-buff_size",
        str(4 << 20),
    ],
)
FLOOR = python("floor (templates, no SIP)", "interop.bench.floor", "{port}")
POLICY = python("sipstack, policy hook", "interop.bench.uas", "policy", "{port}")
HANDLER = python("sipstack, task a call", "interop.bench.uas", "handler", "{port}")
MEDIA = python("sipstack, media a call", "interop.bench.uas", "media", "{port}")
UVLOOP_POLICY = python(
    "sipstack on uvloop, policy hook", "interop.bench.uas", "policy", "{port}", loops.UVLOOP
)
UVLOOP_HANDLER = python(
    "sipstack on uvloop, task a call", "interop.bench.uas", "handler", "{port}", loops.UVLOOP
)

HOLDING = [
    python("sipstack, policy hook", "interop.bench.uas", "policy", "{port}", "--pauses"),
    python("sipstack, task a call", "interop.bench.uas", "handler", "{port}", "--pauses"),
    python(
        "sipstack, task a call, default gc", "interop.bench.uas", "handler", "{port}", "--pauses", "--collect"
    ),
]


@attrs.frozen
class Subject:
    """One UAS: its name, how to make its recipe in a folder (or StartError), and a rate to begin with."""

    name: str
    make: Callable[[Path], Recipe]
    start: int


def _fixed(recipe: Recipe, start: int) -> Subject:
    return Subject(recipe.name, lambda folder: recipe, start)


def _on_uvloop(recipe: Recipe, start: int) -> Subject:
    def make(folder: Path) -> Recipe:
        if not loops.has_uvloop():
            raise StartError("uvloop is not installed (the extra of that name)")
        return recipe

    return Subject(recipe.name, make, start)


OURS = [
    _fixed(SIPP, 6000),
    _fixed(FLOOR, 6000),
    _fixed(POLICY, 1500),
    _fixed(HANDLER, 1000),
    _fixed(MEDIA, 600),
    _on_uvloop(UVLOOP_POLICY, 1500),
    _on_uvloop(UVLOOP_HANDLER, 1000),
]

PEERS = [
    Subject("aiosipua", lambda folder: environments.recipe("aiosipua"), 400),
    Subject("sippy", lambda folder: environments.recipe("sippy"), 200),
    Subject("sipua", lambda folder: environments.recipe("sipua"), 200),
    Subject("Asterisk", asterisk.recipe, 300),
    Subject("Kamailio", kamailio.recipe, 1500),
]
