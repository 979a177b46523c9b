"""The outcome of many calls as a JUnit report, which CI systems show: a call is a test case."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import attrs

LONGEST = 200  # characters of a message: what it quotes may be a stranger's

# All that is no Char of XML 1.0 (§2.2), in whatever way it is written; surrogates are what was no UTF-8.
_NO_CHARACTER = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@attrs.frozen
class Case:
    """One call. ``failure`` says why it failed, ``skipped`` that we were interrupted before it could tell."""

    name: str
    seconds: float
    failure: str | None = None
    kind: str = ""
    """Of the failure: a status code, or a word for what has none."""
    call_id: str = ""
    skipped: bool = False


class JUnitReport:
    """Collects the calls; ``write`` at the end."""

    def __init__(self, suite: str) -> None:
        self._suite = suite
        self._cases: list[Case] = []

    def add(self, case: Case) -> None:
        """A call is over. No more is kept of it than a few hundred characters."""
        failure = None if case.failure is None else case.failure[:LONGEST]
        self._cases.append(attrs.evolve(case, failure=failure))

    def write(self, path: Path, seconds: float) -> None:
        """Raises OSError."""
        suite = ElementTree.Element(
            "testsuite",
            name=_text(self._suite),
            tests=str(len(self._cases)),
            failures=str(sum(case.failure is not None for case in self._cases)),
            errors="0",
            skipped=str(sum(case.skipped for case in self._cases)),
            time=f"{seconds:.3f}",
        )
        suite.extend(map(_element, self._cases))
        root = ElementTree.Element("testsuites")
        root.append(suite)
        ElementTree.ElementTree(root).write(path, "utf-8", xml_declaration=True)


def _element(case: Case) -> ElementTree.Element:
    element = ElementTree.Element(
        "testcase", classname="sipstack.call", name=_text(case.name), time=f"{case.seconds:.3f}"
    )
    if case.failure is not None:
        failure = ElementTree.SubElement(
            element, "failure", message=_text(case.failure), type=_text(case.kind)
        )
        failure.text = _text(f"Call-ID: {case.call_id}") if case.call_id else None
    elif case.skipped:
        ElementTree.SubElement(element, "skipped", message="interrupted")
    return element


def _text(text: str) -> str:
    return _NO_CHARACTER.sub("?", text)
