"""Header fields that are one value and its parameters: ``value;name=value;…``."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Self

import attrs

from sipstack.errors import ParseError
from sipstack.message.fields import parse_call_id, parse_seconds, parse_token
from sipstack.message.grammar import TOKEN, lower, number
from sipstack.message.params import NO_PARAMETERS, Parameters

_media_type = re.compile(rf"({TOKEN})[ \t]*+/[ \t]*+({TOKEN})[ \t]*+(;.*+)?", re.DOTALL).fullmatch
_q = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?").fullmatch


def _split(text: str) -> tuple[str, Parameters]:
    value, semicolon, rest = text.partition(";")
    return value.strip(" \t"), Parameters.read(semicolon + rest)


def _seconds(parameters: Parameters, name: str) -> int | None:
    text = parameters.get(name)
    return None if text is None else parse_seconds(text)


@attrs.frozen
class Parameterised:
    """A token and its parameters: Accept-Encoding, Accept-Language, Security-Client and others."""

    value: str
    parameters: Parameters = NO_PARAMETERS

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ParseError."""
        value, parameters = _split(text)
        return cls(parse_token(value), parameters)

    @property
    def q(self) -> float:
        """The preference, 0 to 1; 1 when absent (RFC 3261 §20.1). Raises ParseError."""
        text = self.parameters.get("q")
        if text is None:
            return 1.0
        if not _q(text):
            raise ParseError(f"not a preference from 0 to 1: {text[:20]!r}")
        return float(text)

    def __str__(self) -> str:
        return f"{self.value}{self.parameters}"


@attrs.frozen
class MediaType:
    """``type/subtype;parameters`` of Content-Type and Accept (RFC 3261 §20.1, §20.15), in lower case."""

    type: str = attrs.field(converter=lower)
    subtype: str = attrs.field(converter=lower)
    parameters: Parameters = NO_PARAMETERS

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ParseError."""
        match = _media_type(text)
        if match is None:
            raise ParseError(f"not a media type: {text[:80]!r}")
        return cls(match[1], match[2], Parameters.read(match[3] or ""))

    @property
    def media_type(self) -> str:
        """``type/subtype`` without the parameters."""
        return f"{self.type}/{self.subtype}"

    def includes(self, other: MediaType) -> bool:
        """Whether this range, which may be ``*/*`` or ``type/*``, takes in the type of ``other``."""
        return self.type in ("*", other.type) and self.subtype in ("*", other.subtype)

    def __str__(self) -> str:
        return f"{self.type}/{self.subtype}{self.parameters}"


@attrs.frozen
class Disposition(Parameterised):
    """Content-Disposition: the purpose of the body (RFC 3261 §20.11)."""

    @property
    def required(self) -> bool:
        """Whether a UAS that cannot handle the body refuses the request: unless handling is optional."""
        return (self.parameters.get("handling") or "required").lower() != "optional"


@attrs.frozen
class Event(Parameterised):
    """Event: ``package;id=…`` (RFC 6665 §8.2.1)."""

    @property
    def package(self) -> str:
        """The event package with its templates."""
        return self.value

    @property
    def id(self) -> str | None:
        """Tells subscriptions to one package in one dialog apart."""
        return self.parameters.get("id")


@attrs.frozen
class SubscriptionState(Parameterised):
    """Subscription-State: ``active``, ``pending`` or ``terminated`` (RFC 6665 §8.2.3)."""

    @property
    def state(self) -> str:
        """In lower case."""
        return self.value.lower()

    @property
    def reason(self) -> str | None:
        """Why the subscription ended."""
        return self.parameters.get("reason")

    @property
    def expires(self) -> int | None:
        """Seconds that are left. Raises ParseError."""
        return _seconds(self.parameters, "expires")

    @property
    def retry_after(self) -> int | None:
        """Seconds to wait before a new subscription. Raises ParseError."""
        return _seconds(self.parameters, "retry-after")


@attrs.frozen
class Reason(Parameterised):
    """Reason: ``protocol;cause=…;text="…"`` (RFC 3326)."""

    @property
    def protocol(self) -> str:
        """``SIP``, ``Q.850``, …"""
        return self.value

    @property
    def cause(self) -> int | None:
        """The status code or Q.850 cause. Raises ParseError."""
        text = self.parameters.get("cause")
        return None if text is None else number(text, 2**31 - 1, "cause")

    @property
    def text(self) -> str | None:
        """Words for people."""
        return self.parameters.text("text")


@attrs.frozen
class SessionExpires:
    """Session-Expires and Min-SE: seconds, with parameters (RFC 4028 §4, §5)."""

    interval: int
    parameters: Parameters = NO_PARAMETERS

    @classmethod
    def parse(cls, text: str) -> SessionExpires:
        """Raises ParseError."""
        # Every call has one or two, and there are few that differ
        return _parse_session_expires_cached(text) if len(text) < 40 else _parse_session_expires(text)

    @property
    def refresher(self) -> str | None:
        """``uac`` or ``uas``, in lower case; None when the sender leaves the choice open."""
        text = self.parameters.get("refresher")
        return None if text is None else text.lower()

    def __str__(self) -> str:
        return f"{self.interval}{self.parameters}"


def _parse_session_expires(text: str) -> SessionExpires:
    value, parameters = _split(text)
    return SessionExpires(parse_seconds(value), parameters)


_parse_session_expires_cached = lru_cache(maxsize=64)(_parse_session_expires)


@attrs.frozen
class DialogReference:
    """Replaces and Join: ``Call-ID;to-tag=…;from-tag=…`` (RFC 3891 §6.1, RFC 3911 §7.1)."""

    call_id: str
    parameters: Parameters

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ParseError; both tags must be there."""
        call_id, parameters = _split(text)
        if not (parameters.get("to-tag") and parameters.get("from-tag")):
            raise ParseError(f"a dialog needs both tags: {text[:80]!r}")
        return cls(parse_call_id(call_id), parameters)

    @property
    def to_tag(self) -> str:
        """The tag that is local to the receiver."""
        return self.parameters.get("to-tag") or ""

    @property
    def from_tag(self) -> str:
        """The tag that is remote to the receiver."""
        return self.parameters.get("from-tag") or ""

    @property
    def early_only(self) -> bool:
        """Whether a confirmed dialog must not be replaced (RFC 3891 §3)."""
        return "early-only" in self.parameters

    def __str__(self) -> str:
        return f"{self.call_id}{self.parameters}"
