"""Header fields that tell the time: Date, Timestamp, Retry-After (RFC 3261 §20.17, §20.33, §20.38)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Self

import attrs

from sipstack.errors import ParseError
from sipstack.message.fields import parse_seconds
from sipstack.message.params import NO_PARAMETERS, Parameters

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_date = re.compile(
    rf"(?:{'|'.join(_DAYS)}), ([0-9]{{2}}) ({'|'.join(_MONTHS)}) ([0-9]{{4}}) "
    r"([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT",
    re.IGNORECASE | re.ASCII,
).fullmatch
_timestamp = re.compile(r"([0-9]{1,10}(?:\.[0-9]{0,6})?)(?:[ \t]++([0-9]{0,10}(?:\.[0-9]{0,6})?))?").fullmatch
_number_and_rest = re.compile(r"([0-9]++)[ \t]*+(.*+)", re.DOTALL).fullmatch
_comment_end = re.compile(r"[()]|\\.", re.DOTALL).finditer


@attrs.frozen
class Date:
    """``Sat, 13 Nov 2010 23:29:00 GMT``; ``moment`` is in UTC, to the second."""

    moment: datetime

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ParseError; SIP knows no zone but GMT."""
        match = _date(text)
        if match is None:
            raise ParseError(f"not a date: {text[:80]!r}")
        day, month, year, hour, minute, second = match.groups()
        try:
            return cls(
                datetime(
                    int(year),
                    _MONTHS.index(month.title()) + 1,
                    int(day),
                    int(hour),
                    int(minute),
                    int(second),
                    tzinfo=UTC,
                )
            )
        except ValueError:
            raise ParseError(f"no such date: {text[:80]!r}") from None

    def __str__(self) -> str:
        moment = self.moment.astimezone(UTC)
        return (
            f"{_DAYS[moment.weekday()]}, {moment.day:02} {_MONTHS[moment.month - 1]} {moment.year:04} "
            f"{moment.hour:02}:{moment.minute:02}:{moment.second:02} GMT"
        )


@attrs.frozen
class Timestamp:
    """When the UAC sent the request, by its own clock, and how long the UAS waited; in seconds."""

    time: float
    delay: float | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ParseError."""
        match = _timestamp(text)
        if match is None:
            raise ParseError(f"not a timestamp: {text[:80]!r}")
        return cls(float(match[1]), float(match[2].rstrip(".") or 0) if match[2] else None)

    def __str__(self) -> str:
        return _plain(self.time) + ("" if self.delay is None else f" {_plain(self.delay)}")


@attrs.frozen
class RetryAfter:
    """``seconds (comment);duration=…``; ``comment`` is the raw text between the outer parentheses."""

    seconds: int
    comment: str = ""
    parameters: Parameters = NO_PARAMETERS

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ParseError."""
        match = _number_and_rest(text)
        if match is None:
            raise ParseError(f"not a Retry-After: {text[:80]!r}")
        comment, rest = "", match[2]
        if rest[:1] == "(":
            end = _end_of_comment(rest)
            comment, rest = rest[1 : end - 1], rest[end:]
        return cls(parse_seconds(match[1]), comment, Parameters.parse(rest))

    @property
    def duration(self) -> int | None:
        """Seconds for which the callee stays reachable. Raises ParseError."""
        text = self.parameters.get("duration")
        return None if text is None else parse_seconds(text)

    def __str__(self) -> str:
        return f"{self.seconds}" + (f" ({self.comment})" if self.comment else "") + str(self.parameters)


def _end_of_comment(text: str) -> int:
    """The index behind the comment that begins ``text``; comments nest (RFC 3261 §25.1)."""
    depth = 0
    for match in _comment_end(text):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    raise ParseError(f"a comment does not close: {text[:80]!r}")


def _plain(seconds: float) -> str:
    """Without an exponent, which the grammar lacks."""
    return format(Decimal(repr(seconds)), "f")
