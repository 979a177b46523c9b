"""What went over the wire, as it went."""

from __future__ import annotations

import re

import attrs

from sipstack.transaction.flow import Flow

_KEY = re.compile(rb"(?i)(\binline:)[^\s|;]+")


def _without_keys(data: bytes) -> str:
    return repr(_KEY.sub(rb"\1***", data))


@attrs.frozen
class TracedMessage:
    """One message sent or received. ``time`` is the driver's clock in seconds. ``data`` is all of it; its
    ``repr`` hides the keys of a=crypto (RFC 4568).
    """

    time: float
    sent: bool
    flow: Flow
    data: bytes = attrs.field(repr=_without_keys)
