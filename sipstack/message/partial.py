"""Broken requests: reading enough of them to answer them (RFC 3261 §8.2, RFC 4475 §3.1.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sipstack.errors import ParseError
from sipstack.message.grammar import HOST, TOKEN, VISIBLE, is_token
from sipstack.message.headers import Headers
from sipstack.message.message import ECHOED, Request
from sipstack.message.registry import NAMES, Row

_fold = re.compile(r"\r?\n[ \t]++").sub
_not_in_a_field = re.compile(r"[\r\n\x00]").search
_via = re.compile(rf"{TOKEN}/[0-9.]++/({TOKEN}) ++({HOST})(?::([0-9]++))?").match
_branch = re.compile(rf";branch={VISIBLE}++").search


class MalformedMessage(ParseError):
    """The ParseError of a whole message: of ``parse``, ``validate`` and ``StreamParser``.

    ``request`` is what could be read of a request, enough to answer it, or None.
    """

    def __init__(self, reason: ParseError, request: Request | None = None) -> None:
        super().__init__(str(reason), reason.status)
        self.request = request


def partial_request(data: bytes) -> Request | None:
    """A request with those fields of ``data`` that a response echoes; None when it cannot be answered."""
    head = data.lstrip(b"\r\n").partition(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape")
    start, *lines = _fold(" ", head).split("\n")
    words = start.split()
    if len(words) < 3 or not is_token(words[0]) or words[-1][:4].upper() != "SIP/":
        return None
    fields = [line.partition(":") for line in lines]
    stripped = ((name.strip(" \t"), value.strip(" \t\r")) for name, _, value in fields)
    return request_to_answer(words[0], " ".join(words[1:-1]), stripped)


def request_to_answer(method: str, uri: str, fields: Iterable[tuple[str, str]]) -> Request | None:
    """The request with only the fields that a response echoes; None when no Via can be read.

    The top Via can be parsed; the other fields are as they came, the first of several.
    """
    index: dict[str, Row] = {}
    vias: list[str] = []
    for name, value in fields:
        key = NAMES.get(name) or NAMES.get(name.lower())
        if key not in ECHOED or _not_in_a_field(value):
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
        via = _partial_via(vias[0] if vias else "")
        if via is None:
            return None
        request = Request.of_parts(method, uri, Headers.of_index(index | {"Via": via}), b"")
    return request


def _partial_via(text: str) -> str | None:
    """The address and the branch to answer to, out of a broken Via."""
    match = _via(text)
    if match is None:
        return None
    transport, host, port = match.groups()
    if port is not None and (len(port) > 5 or int(port) > 65535):
        return None
    branch = _branch(text)
    sent_by = host if port is None else f"{host}:{port}"
    return f"SIP/2.0/{transport.upper()} {sent_by}{branch[0] if branch else ''}"
