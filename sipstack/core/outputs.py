"""What the endpoint asks of its driver."""

from __future__ import annotations

import attrs

from sipstack.transaction.flow import Address, Flow


@attrs.frozen
class Target:
    """A transport address to send to: the result of RFC 3263."""

    transport: str
    address: Address


@attrs.frozen
class Question:
    """A host name to look up. ``port`` and ``transport`` are already decided by the URI."""

    transport: str
    host: str
    port: int


@attrs.define
class Transmit:
    """Put these octets on the flow."""

    flow: Flow
    data: bytes


@attrs.frozen
class Open:
    """Find the flow to this target; answer with ``flow_opened`` or ``flow_refused``."""

    target: Target


@attrs.frozen
class Resolve:
    """Find the addresses; answer with ``resolved``: in order of preference, none when there are none."""

    question: Question


Output = Transmit | Open | Resolve

__all__ = ["Address", "Flow", "Open", "Output", "Question", "Resolve", "Target", "Transmit"]
