"""What can be read of a broken request, so that it can be answered (RFC 3261 §8.2, RFC 4475 §3.1.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sipstack.errors import ParseError
from sipstack.message.grammar import HOST, TOKEN, VISIBLE, is_token
from sipstack.message.headers import Headers
from sipstack.message.message import ECHOED, Request
from sipstack.message.registry import NAMES, Row

_fold = re.compile(r"\r?\n[ \t]++").sub
_unwritable = re.compile(r"[\r\n\x00]").search
_via = re.compile(rf"{TOKEN}/[0-9.]++/({TOKEN}) ++({HOST})(?::([0-9]++))?").match
_branch = re.compile(rf";branch={VISIBLE}++").search


def salvage(data: bytes) -> Request | None:
    """A request with those fields of ``data`` that a response echoes; None when it cannot be answered."""
    head = data.lstrip(b"\r\n").partition(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape")
    start, *lines = _fold(" ", head).split("\n")
    words = start.split()
    if len(words) < 3 or not is_token(words[0]) or words[-1][:4].upper() != "SIP/":
        return None
    fields = [line.partition(":") for line in lines]
    stripped = ((name.strip(" \t"), value.strip(" \t\r")) for name, _, value in fields)
    return readable(words[0], " ".join(words[1:-1]), stripped)


def readable(method: str, uri: str, fields: Iterable[tuple[str, str]]) -> Request | None:
    """The request with only the fields that a response echoes; None when no Via can be read.

    The top Via can be parsed; the other fields are as they came, the first of several.
    """
    index: dict[str, Row] = {}
    vias: list[str] = []
    for name, value in fields:
        key = NAMES.get(name) or NAMES.get(name.lower())
        if key not in ECHOED or _unwritable(value):
            continue
        if key == "Via":
            index[key] = vias
            vias.append(value)
        else:
            index.setdefault(key, value)
    request = Request.of_parts(method, uri, Headers.of_index(index), b"")
    try:
        _ = request.via, request.vias
    except ParseError:
        via = _readable_via(vias[0] if vias else "")
        if via is None:
            return None
        request = Request.of_parts(method, uri, Headers.of_index(index | {"Via": via}), b"")
    return request


def _readable_via(text: str) -> str | None:
    """Where to answer and for which transaction, out of a broken Via."""
    match = _via(text)
    if match is None:
        return None
    transport, host, port = match.groups()
    if port is not None and (len(port) > 5 or int(port) > 65535):
        return None
    branch = _branch(text)
    sent_by = host if port is None else f"{host}:{port}"
    return f"SIP/2.0/{transport.upper()} {sent_by}{branch[0] if branch else ''}"
