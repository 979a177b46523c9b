"""XML of strangers: read within bounds, or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.errors import ParseError
from sipstack.usage.packages.xml import (
    DEEPEST,
    LONGEST,
    MOST,
    parse_xml,
    write_document,
    write_element,
    write_leaf,
    write_text,
)

BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<r>&b;</r>"""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<r>",
        b"<r/><r/>",
        b"<other/>",
        b"<r>&a;</r>",
        b'<?xml version="1.0" encoding="moon"?><r/>',
        BOMB,
        b'<!DOCTYPE r SYSTEM "file:///etc/passwd"><r/>',
        b"<r>\x00</r>",
        b"<r>\xff\xfe</r>",
        b"<r xmlns:a='x'><b:c/></r>",
        b"<r " + b" ".join(b'a%d=""' % number for number in range(10)) + b" a1=''/>",
        b"<r>" + b"<a>" * DEEPEST + b"</a>" * DEEPEST + b"</r>",
        b"<r>" + b"<a/>" * MOST + b"</r>",
        b"<r>" + b" " * LONGEST + b"</r>",
    ],
)
def test_what_cannot_be_read_is_a_parse_error(body: bytes) -> None:
    with pytest.raises(ParseError):
        parse_xml(body, "r")


def test_what_is_just_within_the_bounds() -> None:
    deep = b"<r>" + b"<a>" * (DEEPEST - 1) + b"</a>" * (DEEPEST - 1) + b"</r>"
    wide = b"<r>" + b"<a/>" * (MOST - 1) + b"</r>"
    assert len(parse_xml(deep, "r").children) == 1
    assert len(parse_xml(wide, "r").children) == MOST - 1


def test_names_are_local_and_texts_are_stripped() -> None:
    root = parse_xml(
        b"<x:r xmlns:x='moon' x:id='1'>\n <x:a> one </x:a><a>two<b/>tail</a><c><a q='3'/></c></x:r>", "r"
    )
    assert ([each.text for each in root.all("a")], root.get("id")) == (["one", "two"], "1")
    assert (root.text_of("c", "d"), root.text_of("a"), root.first("c", "a").get("q", "-")) == ("", "one", "3")  # type: ignore[union-attr]


def test_encodings() -> None:
    text = '<?xml version="1.0" encoding="UTF-16"?><r>é</r>'
    assert parse_xml(text.encode("utf-16"), "r").text == "é"
    assert parse_xml(b'<?xml version="1.0" encoding="iso-8859-1"?><r>\xe9</r>', "r").text == "é"


IN_XML = st.text(st.characters(blacklist_categories=("Cc", "Cs"), blacklist_characters="\uffff\ufffe"))


@given(IN_XML, IN_XML)
def test_whatever_is_written_is_read_back(text: str, attribute: str) -> None:
    root = parse_xml(write_document(write_element("r", {"a": attribute}, write_text(text))), "r")
    assert (root.text, root.get("a")) == (text.strip(), attribute)


@given(st.text())
def test_what_xml_cannot_hold_is_left_out(text: str) -> None:
    assert parse_xml(write_document(write_element("r", {"a": text}, write_text(text))), "r").name == "r"


@given(st.binary(max_size=300))
def test_any_octets_are_a_document_or_a_parse_error(body: bytes) -> None:
    for attempt in (body, b"<r>" + body + b"</r>"):
        try:
            assert parse_xml(attempt, "r").name == "r"
        except ParseError:
            continue


def test_what_is_empty_is_left_out() -> None:
    assert write_element("r", {"a": None, "b": "", "c": 0}, write_leaf("d", "")) == '<r c="0"/>'
