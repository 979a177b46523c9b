"""Values are shared between messages; nothing that is done to those of one changes the next."""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import operator
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sipstack.message import (
    CSeq,
    Headers,
    MediaType,
    NameAddr,
    OtherUri,
    Parameters,
    Request,
    Response,
    SipUri,
    TelUri,
    Via,
    parse,
    parse_uri,
)
from sipstack.message.address import parse_name_addr
from tests.message.description import EVERYTHING, PLAIN, VALUES, describe_message

THREADS = 8
ARGUMENTS: tuple[tuple[object, ...], ...] = ((), ("x",), ("x", "y"), (1,), (404,))


def request() -> Request:
    message = parse(EVERYTHING)
    assert isinstance(message, Request)
    return message


@functools.cache
def as_read_first() -> Any:
    """The INVITE as an interpreter describes it that has read nothing before."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.message.description"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def attributes(value: object) -> list[str]:
    """All names of the value, those of its slots among them, private ones too."""
    return [name for name in dir(value) if not (name.startswith("__") and name.endswith("__"))]


def reachable(roots: Iterable[object]) -> Iterator[object]:
    """The values and whatever their public attributes lead to, each once. Plain data is left out."""
    seen: dict[int, object] = {}
    waiting = list(roots)
    while waiting:
        value = waiting.pop()
        if isinstance(value, PLAIN) or id(value) in seen:
            continue
        seen[id(value)] = value  # kept, so that no other gets its id
        if isinstance(value, (tuple, list, Parameters)):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
        else:
            waiting += [getattr(value, name) for name in attributes(value) if not name.startswith("_")]
        yield value


def values_of(message: Request) -> list[object]:
    """The typed values of all header fields, and what they consist of."""
    typed = [message.headers.typed(name) for name in VALUES]
    own = [message.via, message.from_, message.to, message.cseq, message.contacts, message.uri]
    return [value for value in reachable(typed + own) if not callable(value)]


def change(value: Any) -> list[str]:
    """Try all ways to change the value. The names of what could be changed."""
    kind = type(value).__name__
    changed = []
    for name in [*attributes(value), "of_our_own", "__class__"]:
        if succeeds(setattr, value, name, "changed") or succeeds(delattr, value, name):
            changed.append(f"{kind}.{name}")
    if succeeds(operator.setitem, value, 0, "changed") or succeeds(operator.delitem, value, 0):
        changed.append(f"an element of a {kind}")
    for name in ("clear", "append", "update", "pop", "add"):
        if hasattr(value, name) and succeeds(getattr(value, name)):
            changed.append(f"{kind}.{name}()")
    return changed


def succeeds(action: Callable[..., object], *arguments: object) -> bool:
    try:
        action(*arguments)
    except (AttributeError, TypeError, KeyError, IndexError):
        return False
    return True


def call_everything(value: Any) -> None:
    """Call all public methods with arguments that some of them take."""
    for name in attributes(value):
        method = None if name.startswith("_") else getattr(value, name)
        if not callable(method):
            continue
        for arguments in ARGUMENTS:
            with contextlib.suppress(Exception):  # only what it leaves behind counts
                method(*arguments)


def test_the_invite_holds_a_value_of_every_shared_type() -> None:
    kinds = {type(value) for value in values_of(request())}
    assert {NameAddr, SipUri, TelUri, OtherUri, Parameters, CSeq, Via, MediaType} <= kinds


def test_no_attribute_of_a_typed_value_can_be_changed() -> None:
    values = values_of(request())
    assert [name for value in values for name in change(value)] == []


def test_no_mutable_container_is_reachable_from_a_typed_value() -> None:
    assert [value for value in values_of(request()) if isinstance(value, (list, dict, set, bytearray))] == []


def test_a_second_parse_is_unharmed_by_what_is_done_to_the_first() -> None:
    first = request()
    for value in [first, first.headers, *values_of(first)]:
        call_everything(value)
    for value in [*values_of(first), first.headers.index, first.headers, first]:
        change(value)
    second = request()
    assert json.loads(json.dumps(describe_message(second))) == as_read_first()
    assert bytes(second) == bytes(request())


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (parse_name_addr, '"A" <sip:a@example.com;lr>;tag=1'),
        (parse_uri, "sip:a@example.com;lr"),
        (parse_uri, "tel:+1-201-555-0123"),
        (parse_uri, "urn:service:sos"),
        (CSeq.parse, "1 OPTIONS"),
    ],
)
def test_what_is_shared_cannot_be_changed_before_its_first_use_either(read: Any, text: str) -> None:
    value = read(text)
    assert read(text) is value
    assert change(value) == []
    assert str(read(text)) == text


def test_messages_made_of_one_another_share_no_harm() -> None:
    """A response echoes the rows of the request; its own changes stay its own."""
    first = request()
    answer = first.response(200, to_tag="1")
    before = bytes(first)
    for message in (answer, Response(200, headers=answer.headers.append("Via", "SIP/2.0/UDP x"))):
        change(message.headers.index)
    assert bytes(parse(before)) == before == bytes(first.replace())


@pytest.mark.parametrize(
    "value",
    [
        NameAddr.parse('"A" <sip:a@example.com;lr>;tag=1'),
        SipUri.parse("sip:a%20b:c@example.com:5070;lr?x=y"),
        SipUri("example.com", user="a b", password="c"),  # noqa: S106
        Parameters({"a": "1", "b": None}),
        Via.parse("SIP/2.0/UDP a:5070;branch=z9hG4bK1;rport"),
        CSeq(1, "INVITE"),
        TelUri("+1"),
        OtherUri("urn", "service:sos"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_are_copied_and_pickled(value: object) -> None:
    copies = [copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))]  # noqa: S301
    assert copies == [value] * 3
    assert [str(each) for each in copies] == [str(value)] * 3


def test_threads_that_read_one_message_at_once_agree() -> None:
    """Parts of a value are read on first use, here by all threads at about the same time."""
    expected = as_read_first()
    for _ in range(10):
        message = request()
        with ThreadPoolExecutor(THREADS) as pool:
            results = [pool.submit(describe_message, message) for _ in range(THREADS)]
        assert [json.loads(json.dumps(each.result())) for each in results] == [expected] * THREADS


def test_rows_are_copied_when_fields_are_added() -> None:
    headers = Headers([("Via", "SIP/2.0/UDP a"), ("Via", "SIP/2.0/UDP b")])
    headers.append("Via", "SIP/2.0/UDP c")
    headers.prepend("Via", "SIP/2.0/UDP d")
    headers.joined(headers)
    assert headers.raw("Via") == ("SIP/2.0/UDP a", "SIP/2.0/UDP b")
