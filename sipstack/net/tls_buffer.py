"""The memory of an idle TLS connection: asyncio gives each a buffer of 256 KiB, in which nothing waits."""

from __future__ import annotations

import asyncio
from asyncio.sslproto import SSLProtocol

SIZE = 32 * 1024
"""Octets that are read at once: more than one record of TLS has (RFC 8446 §5.2)."""


def shrink_buffer(raw: asyncio.Transport) -> None:
    """Make the buffer of a connection small, once TLS runs over ``raw``.

    asyncio has no setting for it. Where it (or another loop, such as uvloop, which shares one buffer) keeps
    none by this name, nothing changes.
    """
    tls = raw.get_protocol()
    if isinstance(tls, SSLProtocol) and len(getattr(tls, "_ssl_buffer", b"")) > SIZE:
        # between two reads it holds nothing: what came is in OpenSSL's hands at once
        small = bytearray(SIZE)
        for name, value in (
            ("max_size", SIZE),
            ("_ssl_buffer", small),
            ("_ssl_buffer_view", memoryview(small)),
        ):
            setattr(tls, name, value)
