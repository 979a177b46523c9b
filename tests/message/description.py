"""A message as plain data. ``python -m tests.message.description`` prints that of EVERYTHING."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sipstack.message import Request, parse
from tests.message.test_registry import EXAMPLES

VALUES = {name: text for name, (text, _) in EXAMPLES.items() if name != "Content-Length"} | {
    "Via": 'SIP/2.0/UDP [2001:db8::1]:5070;branch=z9hG4bKshared;rport;note="a;b"',
    "From": '"Alice, of A" <sip:al%69ce:pass@a.example;transport=udp;lr?Subject=x&Priority=urgent>;tag=1;x=2',
    "To": "<tel:+1-201-555-0123;phone-context=example.com>",
    "Contact": '"A" <sips:alice@[2001:db8::2]:5061;ob>;q=0.5;expires=60, <sip:alice@192.0.2.1>',
    "CSeq": "1 INVITE",
    "Refer-To": "<urn:service:sos>",
}
EVERYTHING = (
    "INVITE sip:bob@b.example;user=phone SIP/2.0\r\n"
    + "".join(f"{name}: {text}\r\n" for name, text in VALUES.items())
    + "Content-Length: 4\r\n\r\nbody"
).encode()
"""An INVITE with every header field whose type is known."""

PLAIN = (str, int, float, bytes, bool, type(None), datetime)


def names(value: object) -> Iterator[str]:
    """The public attributes of a value that hold data: its slots and properties."""
    for kind in type(value).__mro__:
        for name, attribute in vars(kind).items():
            is_data = isinstance(attribute, property) or hasattr(attribute, "__set__")
            if is_data and not name.startswith("_"):
                yield name


def describe(value: object) -> Any:
    """The value and all that can be reached from it through public attributes, as JSON has it."""
    if isinstance(value, PLAIN):
        return repr(value)
    if isinstance(value, (tuple, list)):
        return [describe(item) for item in value]
    if isinstance(value, dict):
        return {name: describe(item) for name, item in value.items()}
    attributes = {name: describe(getattr(value, name)) for name in names(value)}
    return {"type": type(value).__name__, "text": str(value), **attributes}


def describe_message(message: Request) -> Any:
    """`describe`, and every header field as its type has it."""
    fields = {name: describe(message.headers.typed(name)) for name in VALUES}
    return {"message": describe(message), "fields": fields}


if __name__ == "__main__":
    read = parse(EVERYTHING)
    if isinstance(read, Request):
        print(json.dumps(describe_message(read)))  # noqa: T201
