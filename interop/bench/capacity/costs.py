"""What one call, one refresh, one take-over costs each part of a cluster: measured once, and checked in."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import attrs

CHECKED_IN = Path(__file__).with_name("costs.toml")
STORES = ("none", "memory", "sealed", "sqlite", "redis")


@attrs.frozen
class OfNode:
    """Microseconds of CPU of a process of ours. ``call``: INVITE to BYE, by store; ``refresh``: one UPDATE
    with a session timer, by store (not sealed: there we tell the peer of it by a request of our own).
    ``takeover``: what a request costs more at a node that does not have its call. ``orphan``: a call that
    nobody asks for, looked for and taken over. ``octets``: resident memory of a call that is up, by store.
    """

    call: dict[str, float]
    refresh: dict[str, float]
    takeover: float
    orphan: float
    octets: dict[str, float]


@attrs.frozen
class OfRedis:
    """Microseconds of CPU of Redis, with all that is asked for the purpose, while it is busy: four commands
    come at a time. ``refused``: a take-over that another node was faster in. ``page``: 1,000 names of a list.
    ``look``: the search of one node for dead ones, which finds none. ``waited``: how much dearer a write is
    to the primary with a replica and WAIT 1. ``octets``: memory of a call that is up, indices included.
    ``sent``: octets that go there for a call. ``lonely``: a call when Redis is idle but for 200 in a second:
    it wakes up for each command.
    """

    call: float
    refresh: float
    takeover: float
    read: float
    refused: float
    page: float
    look: float
    waited: float
    octets: float
    sent: float
    lonely: float


@attrs.frozen
class OfProxy:
    """Microseconds of CPU of Kamailio, all its processes together."""

    call: float
    refresh: float


@attrs.frozen
class Costs:
    """All of them. ``date`` and ``machine`` say when and where. ``sqlite_octets``: disk that a call takes."""

    date: str
    machine: str
    node: OfNode
    redis: OfRedis
    proxy: OfProxy
    sqlite_octets: float

    @classmethod
    def read(cls, path: Path = CHECKED_IN) -> Costs:
        """Raises OSError, ValueError or TypeError for a file that is none of ours."""
        values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        parts = {"node": OfNode, "redis": OfRedis, "proxy": OfProxy}
        return cls(**{name: parts[name](**each) if name in parts else each for name, each in values.items()})

    def write(self, path: Path) -> None:
        """As ``read`` reads it."""
        path.write_text("\n".join(_lines(attrs.asdict(self))) + "\n", encoding="utf-8")


def _lines(values: dict[str, Any], of: str = "") -> list[str]:
    plain = {name: each for name, each in values.items() if not isinstance(each, dict)}
    lines = [f"{name} = {_text(each)}" for name, each in plain.items()]
    for name, each in values.items():
        if isinstance(each, dict):
            lines += ["", f"[{of}{name}]", *_lines(each, f"{of}{name}.")]
    return lines


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if value >= 1000 else f"{value:.4g}"
    return f'"{value}"'
