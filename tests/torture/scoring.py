"""One verdict on a message from everything that the message layer knows of it."""

from __future__ import annotations

from sipstack.errors import ParseError
from sipstack.message import Request, Response, parse, validate
from sipstack.message.mime import parse_multipart


def check(data: bytes) -> None:
    """Parse ``data``, validate it, and look at every typed value. Raises ParseError."""
    message = parse(data)
    validate(message)
    touch(message)


check.errors = (ParseError,)  # type: ignore[attr-defined]


def touch(message: Request | Response) -> list[object]:
    """Every typed value of the message and of what it consists of. Raises ParseError."""
    values: list[object] = _properties(message)
    for name in dict(message.headers.items()):
        value = message.headers.typed(name)
        for item in value if isinstance(value, tuple) else (value,):
            values += [item, *_properties(item)]
    content_type = message.content_type
    if content_type is not None and content_type.type == "multipart" and message.body:
        for part in parse_multipart(message.body, content_type):
            values += [part, part.content_type]
    return values


def _properties(value: object) -> list[object]:
    """The values of the properties of the value's class, and of theirs."""
    found: list[object] = []
    for kind in type(value).__mro__:
        for name, attribute in vars(kind).items():
            if isinstance(attribute, property) and not name.startswith("_"):
                item = getattr(value, name)
                found += [item, *_properties(item)]
    return found
