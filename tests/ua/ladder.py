"""The messages of a world as lines to compare: who sent what, in order of arrival."""

from __future__ import annotations

from sipstack.testing.network import Fate
from sipstack.testing.world import World


def ladder(world: World) -> list[str]:
    """``1> INVITE`` is a request of host 10.0.0.1, ``2> 200 INVITE`` a response of host 10.0.0.2."""
    return [
        f"{p.source[0].rpartition('.')[2]}> {_name(p.data)}" for p in world.trace if p.fate is Fate.DELIVERED
    ]


def _name(data: bytes) -> str:
    start, *lines = data.decode().split("\r\n")
    if not start.startswith("SIP/2.0 "):
        return start.split(" ")[0]
    method = next(line.split(" ")[2] for line in lines if line.startswith("CSeq: "))
    return f"{start.split(' ')[1]} {method}"
