"""What each side tells of its Info Packages, and what is remembered of it (RFC 6086 §5)."""

from __future__ import annotations

import pytest

from sipstack.errors import ParseError
from sipstack.message import Request
from sipstack.usage.info_packages import MAXIMUM, InfoPackages, info_packages, package_of, packages_of
from sipstack.usage.invite.extension import NewCall


def invite(*values: str) -> Request:
    return Request("INVITE", "sip:bob@h", [("CSeq", "1 INVITE"), *(("Recv-Info", value) for value in values)])


@pytest.mark.parametrize(
    ("values", "packages"),
    [
        ((), None),
        (("",), ()),
        (("foo",), ("foo",)),
        (("Foo;x=1, , bar", "baz"), ("foo", "bar", "baz")),
        (("foo, ???, bar",), ("foo", "bar")),
    ],
)
def test_what_a_peer_takes(values: tuple[str, ...], packages: tuple[str, ...] | None) -> None:
    assert packages_of(invite(*values)) == packages


def test_no_more_than_so_many_are_remembered() -> None:
    found = packages_of(invite(", ".join(f"p{number}" for number in range(1000))))
    assert found is not None
    assert len(found) == MAXIMUM


def test_the_package_of_an_info() -> None:
    def info(*values: str) -> Request:
        return Request("INFO", "sip:bob@h", [("Info-Package", value) for value in values])

    assert (package_of(info()), package_of(info("Foo;x=1"))) == (None, "foo")
    for odd in (("",), ("a b",), ("a", "b")):
        with pytest.raises(ParseError):
            package_of(info(*odd))


def test_a_plain_call_has_no_part_of_it() -> None:
    begin = info_packages({}).begin
    assert begin(NewCall(is_caller=True)) is None
    assert begin(NewCall(is_caller=False, invite=invite())) is None
    assert begin(NewCall(is_caller=False, invite=invite("foo"))) is not None
    assert info_packages({"foo": None}).begin(NewCall(is_caller=True)) is not None


def test_it_goes_on_in_another_process() -> None:
    part = InfoPackages({}, ("foo",))
    again = InfoPackages({})
    again.restore(part.record(0.0), 0.0)
    assert again.theirs == ("foo",)
    again.restore({"theirs": 7}, 0.0)
    again.restore(InfoPackages({}).record(0.0), 0.0)
    assert again.theirs == ("foo",)
