"""Notices that this host has another address than before: another network, a cable, a VPN.

The routing table is asked, now and then, for our address towards the peers that we have to do with. Nothing
is sent, and it is the same on every system.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from sipstack.core.outputs import Address, Flow

WILDCARDS = ("0.0.0.0", "::")  # noqa: S104
INTERVAL = 5.0
"""Seconds between two looks."""
SAMPLE = 16
"""Flows of each kind that a look asks for; when one has moved, all are asked."""


@runtime_checkable
class Following(Protocol):
    """An endpoint whose flows may find themselves at an address that is not ours any more."""

    @property
    def follows(self) -> bool:
        """Whether it goes on at whatever address we have: it listens at a wildcard."""

    def stranded(self, flow: Flow) -> bool:
        """Whether we have another address on the way to the peer of ``flow`` now. Not while there is none."""

    def network_changed(self) -> None:
        """Forget what was learned in the network before this one."""


@runtime_checkable
class Learning(Protocol):
    """An endpoint that can tell each peer another address of ours."""

    learns: bool
    """Whether the answers of a registrar may tell which."""

    def advertise_to(self, remote: Address, address: Address) -> None:
        """From now on the peer at ``remote`` is told this one, at which it sees us."""


class AddressWatch:
    """Tells ``moved`` the flows, among those that ``flows`` gives (so many of each kind, or all), that are at
    an address of ours that has changed.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        flows: Callable[[int | None], set[Flow]],
        moved: Callable[[list[Flow]], None],
    ) -> None:
        self._loop = loop
        self._flows = flows
        self._moved = moved
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Look every few seconds, until ``close``."""
        self._timer = self._loop.call_later(INTERVAL, self._look)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self.begin()
        if any(map(_is_stranded, self._flows(SAMPLE))):
            self._moved([flow for flow in self._flows(None) if _is_stranded(flow)])


def _is_stranded(flow: Flow) -> bool:
    endpoint = flow.endpoint
    return isinstance(endpoint, Following) and endpoint.stranded(flow)


def is_ours(host: str) -> bool:
    """Whether this host has the address; yes when that cannot be known: link-local needs an interface."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except OSError as error:
        return error.errno != errno.EADDRNOTAVAIL
    return True
