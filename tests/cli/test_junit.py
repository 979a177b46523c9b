"""The JUnit report: valid XML, whatever a stranger wrote."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.cli.junit import LONGEST, Case, JUnitReport


def written(*cases: Case, suite: str = "sipstack call sip:bob@example.com") -> ElementTree.Element:
    """The test suite, read again."""
    report = JUnitReport(suite)
    for case in cases:
        report.add(case)
    with TemporaryDirectory() as folder:
        path = Path(folder, "calls.xml")
        report.write(path, 12.5)
        root = ElementTree.fromstring(path.read_bytes())
    assert root.tag == "testsuites"
    (found,) = root
    return found


def test_nothing_was_called() -> None:
    assert written().attrib == {
        "name": "sipstack call sip:bob@example.com",
        "tests": "0",
        "failures": "0",
        "errors": "0",
        "skipped": "0",
        "time": "12.500",
    }


def test_a_call_is_a_test_case() -> None:
    suite = written(
        Case("call 1", 3.0124),
        Case("call 2", 0.1, failure="486 Busy Here", kind="486", call_id="abc@host"),
        Case("call 3", 0.2, skipped=True),
    )
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    good, bad, cut = suite
    assert good.attrib == {"classname": "sipstack.call", "name": "call 1", "time": "3.012"}
    assert list(good) == []
    (failure,) = bad
    assert (failure.tag, failure.attrib) == ("failure", {"message": "486 Busy Here", "type": "486"})
    assert failure.text == "Call-ID: abc@host"
    assert [each.tag for each in cut] == ["skipped"]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("\"]]>&lt;<x y='1'/>", "\"]]>&lt;<x y='1'/>"),
        ("\x1b[2J\x00\x07\x7f\x0b", "?[2J??\x7f?"),
        ("\ud800\udcff \ufffe\uffff", "?? ??"),
        ("\U0001f600\u00e9", "\U0001f600\u00e9"),
    ],
    ids=["markup", "controls", "surrogates", "letters"],
)
def test_what_a_stranger_sent(text: str, read: str) -> None:
    ((failure,),) = written(Case("call 1", 0.1, failure=text, kind="486", call_id=text))
    assert failure.get("message") == read
    assert failure.text == f"Call-ID: {read}"


@given(st.text(st.characters(codec=None), max_size=50))
def test_every_text_makes_a_file_that_can_be_read(text: str) -> None:
    suite = written(Case("call 1", 0.1, failure=text, kind=text, call_id=text), suite=text)
    assert suite.get("failures") == "1"


def test_a_message_is_bounded() -> None:
    ((failure,),) = written(Case("call 1", 0.1, failure="x" * 100_000, kind="600"))
    assert len(failure.attrib["message"]) == LONGEST
