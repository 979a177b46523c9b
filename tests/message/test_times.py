"""Date, Timestamp, Retry-After (RFC 3261 §20.17, §20.33, §20.38)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from sipstack.errors import ParseError
from sipstack.message import Date, Parameters, RetryAfter, Timestamp


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Fri, 01 Jan 2010 16:00:00 EST",
        "Fri, 1 Jan 2010 16:00:00 GMT",
        "Fri, 01 Jan 10 16:00:00 GMT",
        "Fri, 31 Feb 2010 16:00:00 GMT",
        "Fri, 01 Jan 2010 24:00:00 GMT",
        "Fri, 01 Jan 2010 16:00:60 GMT",
        "Fri, 01 Jan 0000 16:00:00 GMT",
        "Fri 01 Jan 2010 16:00:00 GMT",
        "Fri, 01 Jan 2010 16:00:00 GMT+1",
        "Fri, 0١ Jan 2010 16:00:00 GMT",
    ],
)
def test_not_a_date(text: str) -> None:
    with pytest.raises(ParseError):
        Date.parse(text)


def test_date() -> None:
    date = Date.parse("Sat, 13 Nov 2010 23:29:00 GMT")
    assert date == Date(datetime(2010, 11, 13, 23, 29, tzinfo=UTC))
    assert str(date) == "Sat, 13 Nov 2010 23:29:00 GMT"
    assert Date.parse("sat, 13 NOV 2010 23:29:00 gmt") == date


def test_a_date_is_written_in_gmt() -> None:
    moment = datetime(2010, 11, 14, 0, 29, tzinfo=timezone(timedelta(hours=1)))
    assert str(Date(moment)) == "Sat, 13 Nov 2010 23:29:00 GMT"


@pytest.mark.parametrize("text", ["", "x", ".5", "-1", "1 x", "1 2 3", "1,5", "1" * 11, "1e3"])
def test_not_a_timestamp(text: str) -> None:
    with pytest.raises(ParseError):
        Timestamp.parse(text)


@pytest.mark.parametrize(
    ("text", "time", "delay"),
    [("54", 54.0, None), ("54.21 .5", 54.21, 0.5), ("1. 2.", 1.0, 2.0), ("1 .", 1.0, 0.0)],
)
def test_timestamp(text: str, time: float, delay: float | None) -> None:
    assert Timestamp.parse(text) == Timestamp(time, delay)


def test_a_timestamp_has_no_exponent() -> None:
    assert str(Timestamp(9999999999.0, 0.000001)) == "9999999999.0 0.000001"


@pytest.mark.parametrize("text", ["", "x", "(a) 5", "5 (a", "5 a", "5 (a) b", "5 (a\\)", "5;", "4294967296"])
def test_not_a_retry_after(text: str) -> None:
    with pytest.raises(ParseError):
        RetryAfter.parse(text)


def test_retry_after() -> None:
    assert RetryAfter.parse("18000;duration=3600") == RetryAfter(18000, "", Parameters({"duration": "3600"}))
    assert RetryAfter.parse("18000;duration=3600").duration == 3600
    meeting = RetryAfter.parse("120 (I'm in a (long; dull) meeting \\)) ;x")
    assert meeting == RetryAfter(120, "I'm in a (long; dull) meeting \\)", Parameters({"x": None}))
    assert (meeting.duration, str(meeting)) == (None, "120 (I'm in a (long; dull) meeting \\));x")
