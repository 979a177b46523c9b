"""Parameters (RFC 3261 §7.3.1)."""

from __future__ import annotations

import pytest
from hypothesis import given

from sipstack.errors import ParseError
from sipstack.message import Parameters
from tests import strategies


@pytest.mark.parametrize(
    "text",
    [
        "a=1",
        ";",
        ";;a",
        ";a;",
        ";a;;b",
        ";=1",
        ";a b",
        ";a=b c",
        ';a="b',
        ';a="b"c',
        ';a=b"c"',
        ";a=<b>",
        ";a,b",
        ";a=1;A=2",
        ";a\0=1",
        ";a=\0",
        ";é=1",
    ],
)
def test_not_parameters(text: str) -> None:
    with pytest.raises(ParseError):
        Parameters.parse(text)


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("", []),
        (" ", []),
        (";a", [("a", None)]),
        (";a=", [("a", "")]),
        (";A=Bc;d", [("a", "Bc"), ("d", None)]),
        (' ; a = b ; c = "d;e" ', [("a", "b"), ("c", '"d;e"')]),
        (";received=2001:db8::1;x=[::1]", [("received", "2001:db8::1"), ("x", "[::1]")]),
        (r';a="\";b=\\"', [("a", r'"\";b=\\"')]),
        (";self=1;items=2", [("self", "1"), ("items", "2")]),
        (";a==b=", [("a", "=b=")]),
    ],
)
def test_parse(text: str, items: list[tuple[str, str | None]]) -> None:
    assert list(Parameters.parse(text)) == items


def test_names_have_no_case_and_values_do() -> None:
    parameters = Parameters.parse(";TAG=aB")
    assert parameters.get("tag") == parameters.get("Tag") == "aB"
    assert "tAG" in parameters
    assert 1 not in parameters
    assert parameters == Parameters({"tag": "aB"})
    assert parameters != Parameters({"tag": "AB"})
    assert parameters != ";tag=aB"


def test_order_is_kept_and_does_not_count() -> None:
    one, two = Parameters.parse(";a=1;b"), Parameters.parse(";b;a=1")
    assert (str(one), str(two)) == (";a=1;b", ";b;a=1")
    assert one == two
    assert hash(one) == hash(two)
    assert len(one) == 2


def test_a_missing_value_is_not_an_empty_one() -> None:
    assert Parameters.parse(";a") != Parameters.parse(";a=")
    assert Parameters.parse(";a").get("a") is Parameters().get("a") is None


def test_text_resolves_quotes() -> None:
    parameters = Parameters.parse(r';a="x\"y";b=z;c')
    assert [parameters.text(name) for name in "abcd"] == ['x"y', "z", None, None]


def test_changes_make_copies() -> None:
    old = Parameters.parse(";a=1;b=2")
    assert str(old.with_("A", "3")) == ";a=3;b=2"
    assert str(old.with_("c")) == ";a=1;b=2;c"
    assert str(old.with_text("c", 'x"')) == r';a=1;b=2;c="x\""'
    assert str(old.without("A", "c")) == ";b=2"
    assert str(old) == ";a=1;b=2"
    assert repr(old) == "Parameters(';a=1;b=2')"


def test_simple_text() -> None:
    assert Parameters.of_simple(";a=1;b") == Parameters.parse(";a=1;b")
    assert Parameters.of_simple("") == Parameters()


@pytest.mark.parametrize(
    ("text", "items"),
    [
        (";a=1;A", [("a", "1")]),
        (";a;A=1", [("a", None)]),
        (";a=1;", [("a", "1")]),
        (";", []),
        (";;; ", []),
    ],
)
def test_read_as_peers_write_them(text: str, items: list[tuple[str, str | None]]) -> None:
    assert list(Parameters.read(text)) == items
    assert list(Parameters.of_simple(text.strip())) == items


@pytest.mark.parametrize("text", ["a=1", ";;a", ";a;;b", ";a b", ';a="b', ";a,b", ";a;=1"])
def test_not_parameters_of_anybody(text: str) -> None:
    with pytest.raises(ParseError):
        Parameters.read(text)


@given(strategies.parameters)
def test_parse_and_str_are_inverse(parameters: Parameters) -> None:
    assert Parameters.parse(str(parameters)) == parameters
    assert list(Parameters.parse(str(parameters))) == list(parameters)
