"""A password shows itself to who asks for it, and to nobody else."""

from __future__ import annotations

import json
import traceback

import attrs
import pytest

from sipstack import Account, LocalProtocolError, UserAgent
from sipstack.message.digest import DigestAccount
from sipstack.message.secret import Secret

WORD = "correct horse"


def test_it_is_shown_only_when_asked() -> None:
    secret = Secret(WORD)
    assert (secret.reveal(), Secret(secret), hash(Secret(WORD))) == (WORD, secret, hash(secret))
    assert secret != Secret("other")
    assert secret != WORD
    assert [WORD in text for text in (repr(secret), str(secret), f"{secret}", f"{secret!r}")] == [False] * 4


def test_values_that_hold_it_do_not_show_it() -> None:
    account = Account("sip:a@h", password=WORD, credentials={"r": ("u", WORD)})
    dumps = [attrs.asdict(account), *(attrs.asdict(each) for each in account.digest)]
    for text in (repr(account), repr(account.digest), repr(dumps), json.dumps(dumps, default=repr)):
        assert WORD not in text


def test_a_traceback_of_ours_with_its_locals_does_not_show_it() -> None:
    """As pytest --showlocals, rich and crash reporters write them."""
    given = iter([WORD])
    try:
        UserAgent("not a URI", password=next(given))
    except LocalProtocolError as error:
        frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack[1:]
    assert [frame.name for frame in frames if WORD in str(frame.locals)] == []


@pytest.mark.parametrize("password", [b"", b"secret", 1, "\ud800"])
def test_what_is_no_password(password: object) -> None:
    with pytest.raises(LocalProtocolError, match="password"):
        UserAgent(password=password)  # type: ignore[arg-type]
    with pytest.raises(LocalProtocolError, match="password"):
        DigestAccount("a", password)  # type: ignore[arg-type]


def test_octets_that_are_no_utf_8_are() -> None:
    assert DigestAccount("a", "\udcff").password == Secret("\udcff")


def test_a_half_made_user_agent_can_be_shown() -> None:
    assert repr(UserAgent.__new__(UserAgent)) == "<UserAgent  calls=0>"


def test_a_password_in_the_address_of_record_is_refused_and_not_repeated() -> None:
    with pytest.raises(LocalProtocolError, match="give password=") as raised:
        UserAgent("sip:alice:hunter2@example.com")
    assert "hunter2" not in str(raised.value)
