"""The checks that come before any use of a message (RFC 3261 §8.2, §16.3; RFC 4475 §3.3)."""

from __future__ import annotations

from sipstack.errors import ParseError
from sipstack.message.message import Request, Response
from sipstack.message.partial import MalformedMessage, request_to_answer


def validate(message: Request | Response) -> None:
    """Raises MalformedMessage unless Via, From, To, Call-ID and CSeq are there, once, and can be read.

    In a request, CSeq has to name the method of the start line, and outside a dialog the Request-URI has to
    be one (inside, it is the Contact that we gave out). The error's ``request`` is the one to answer.
    """
    try:
        _ = message.via, message.from_, message.call_id
        outside = message.to.tag is None
        method = message.cseq.method
        if isinstance(message, Request):
            if method != message.method:
                raise ParseError(f"CSeq names {method[:80]}, the request is {message.method[:80]}")
            if outside:
                _ = message.uri
    except ParseError as error:
        raise MalformedMessage(error, _request_to_answer(message)) from error


def _request_to_answer(message: Request | Response) -> Request | None:
    if not isinstance(message, Request):
        return None
    return request_to_answer(message.method, message.uri_text, message.headers.items())
