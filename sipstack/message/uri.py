"""SIP and SIPS URIs (RFC 3261 §19.1)."""

from __future__ import annotations

import ipaddress
import re
from string import ascii_letters, digits
from typing import Any

from sipstack.errors import ParseError
from sipstack.message.frozen import copy_text, refuse, setter, unfrozen
from sipstack.message.grammar import HOST, escape, read_port, reescape, unescape
from sipstack.message.params import NO_PARAMETERS, Lazy, Parameters

_new = object.__new__

_UNRESERVED = ascii_letters + digits + "-_.!~*'()"
_RESERVED = b";/?:@&=+$,%"
_USER = frozenset(_UNRESERVED + "&=+$,;?/")
_PASSWORD = frozenset(_UNRESERVED + "&=+$,")
_USERINFO = _USER | {":"}
_PARAMETER = frozenset(_UNRESERVED + "[]/:&+$")
_HEADER = frozenset(_UNRESERVED + "[]/?:+$")
_FIELDS = ("host", "port", "user", "scheme", "password", "parameters", "headers")
# A parameter of these names in only one of two URIs makes them differ (§19.1.4).
_SIGNIFICANT = frozenset(("transport", "user", "ttl", "method", "maddr"))

# Looser than the grammar where no other reading is possible, as for non-ASCII text in a user part. Parameters
# and headers are mostly only given back: what a peer puts there is no reason to refuse the call.
_match = re.compile(
    r"([sS][iI][pP][sS]?):"
    r'(?:(([^\x00-\x20\x7f"<>@:]*+)(?::([^\x00-\x20\x7f"<>@]*+))?)@)?'
    rf"({HOST})(?::([0-9]{{1,5}}))?"
    r"((?:;[^\x00-\x20\x7f;?<>]*+)*+)"
    r"(?:\?([^\x00-\x20\x7f<>]*+))?"
).fullmatch


# What needs no escapes: almost every URI.
_plain = re.compile(
    r"[sS][iI][pP][sS]?:(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/]++@)?"
    rf"{HOST}(?::[0-9]++)?(?:;[A-Za-z0-9\-_.!~*'()\[\]/:&+$]++(?:=[A-Za-z0-9\-_.!~*'()\[\]/:&+$]*+)?)*+"
).fullmatch


def escape_user(text: str) -> str:
    """``text`` as the user part of a URI writes it (§19.1.2, §25.1)."""
    return escape(text, _USER)


class SipUri(Lazy):
    """``sip:user:password@host:port;parameters?headers``.

    ``user``, ``password``, parameters and headers are unescaped, once; ``host`` keeps the brackets of an IPv6
    reference. ``str()`` of a parsed URI is the text it came from; of a parameter that comes twice the first
    is read. Equality is that of §19.1.4, which is not transitive: a parameter that only one of the two URIs
    has is mostly ignored.
    """

    __slots__ = ("_text", "_userinfo", "headers", "host", "password", "port", "scheme", "user")
    __setattr__ = __delattr__ = refuse
    __reduce__ = copy_text

    scheme: str
    user: str | None
    password: str | None
    host: str
    port: int | None
    headers: tuple[tuple[str, str], ...]
    _userinfo: str | None
    """User and password as they are written."""
    _text: str | None

    def __new__(
        cls,
        host: str,
        port: int | None = None,
        user: str | None = None,
        *,
        scheme: str = "sip",
        password: str | None = None,
        parameters: Parameters = NO_PARAMETERS,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> SipUri:
        userinfo = None if user is None else escape_user(user)
        if password is not None:
            userinfo = f"{userinfo or ''}:{escape(password, _PASSWORD)}"
        uri = _new(_Unfrozen)
        uri.scheme = scheme
        uri.user = user
        uri.password = password
        uri.host = host
        uri.port = port
        uri._parameters = parameters
        uri.headers = headers
        uri._userinfo = userinfo
        uri._text = None
        uri.__class__ = cls
        return uri

    @classmethod
    def parse(cls, text: str) -> SipUri:
        """Raises ParseError unless ``text`` is a sip or sips URI."""
        match = _match(text)
        if match is None:
            raise ParseError(f"not a SIP URI: {text[:80]!r}")
        uri = _new(_Unfrozen)
        scheme, uri._userinfo, user, password, uri.host, port, parameters, headers = match.groups()
        uri._text = text
        uri.scheme = scheme if scheme == "sip" else scheme.lower()
        uri.port = None if port is None else read_port(port)
        uri.headers = () if headers is None else _headers(headers)
        if "%" in text:
            uri.user = user and unescape(user)
            uri.password = password and unescape(password)
            uri._parameters = _unescaped_parameters(parameters)
        else:
            uri.user = user
            uri.password = password
            uri._parameters = parameters or NO_PARAMETERS
        uri.__class__ = cls
        return uri

    def replace(self, **changes: Any) -> SipUri:
        """A copy with some attributes changed; a user part that stays is written as it was."""
        values = {name: getattr(self, name) for name in _FIELDS}
        uri = SipUri(**(values | changes))
        if "user" not in changes and "password" not in changes:
            _set_userinfo(uri, self._userinfo)
        return uri

    def escaped(self) -> SipUri:
        """The same as §19.1.2 writes it: a URI of ours, out of what people type. What is escaped stays so."""
        if _plain(str(self)):
            return self
        uri = SipUri(
            self.host,
            self.port,
            scheme=self.scheme,
            parameters=self.parameters,
            headers=self.headers,
            user=self.user,
            password=self.password,
        )
        if self._userinfo is not None:
            _set_userinfo(uri, reescape(self._userinfo, _USERINFO))
        return uri

    def __str__(self) -> str:
        text = self._text
        if text is None:
            text = self._write()
            _set_text(self, text)
        return text

    def _write(self) -> str:
        userinfo = "" if self._userinfo is None else self._userinfo + "@"
        port = "" if self.port is None else f":{self.port}"
        parameters = "".join(
            f";{escape(name, _PARAMETER)}" + ("" if value is None else f"={escape(value, _PARAMETER)}")
            for name, value in self.parameters
        )
        headers = "&".join(
            f"{escape(name, _HEADER)}={escape(value, _HEADER)}" for name, value in self.headers
        )
        return f"{self.scheme}:{userinfo}{self.host}{port}{parameters}" + (f"?{headers}" if headers else "")

    def __repr__(self) -> str:
        return f"SipUri.parse({str(self)!r})"

    def _key(self) -> tuple[object, ...]:
        """Equal for two equal URIs, whatever their other parameters."""
        significant = sorted(item for item in self.parameters if item[0] in _SIGNIFICANT)
        return (
            self.scheme,
            None if self._userinfo is None else unescape(self._userinfo, _RESERVED),
            _host_key(self.host) if self.host[:1] == "[" else self.host.lower(),
            self.port,
            tuple((name, value and value.lower()) for name, value in significant),
            tuple(sorted((name.lower(), value) for name, value in self.headers)),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SipUri):
            return NotImplemented
        if self._text is not None and self._text == other._text:
            return True
        if self._key() != other._key():
            return False
        theirs = other.parameters
        return all(
            (value or "").lower() == (theirs.get(name) or "").lower()
            for name, value in self.parameters
            if name in theirs
        )

    def __hash__(self) -> int:
        return hash(self._key())


_Unfrozen = unfrozen(SipUri)
_set_text, _set_userinfo = setter(SipUri, "_text"), setter(SipUri, "_userinfo")


def _unescaped_parameters(text: str) -> Parameters:
    items: dict[str, str | None] = {}
    for part in text.split(";")[1:]:
        name, equals, value = part.partition("=")
        if name:
            items.setdefault(unescape(name).lower(), unescape(value) if equals else None)
    return Parameters(items)


def _headers(text: str) -> tuple[tuple[str, str], ...]:
    headers = []
    for part in text.split("&"):
        name, _, value = part.partition("=")
        if name:
            headers.append((unescape(name), unescape(value)))
    return tuple(headers)


def _host_key(host: str) -> str:
    """Hosts compare without case; IPv6 addresses by value (RFC 5954 §4.2), ``:::`` read as ``::``."""
    try:
        return ipaddress.IPv6Address(host.strip("[]").replace(":::", "::")).compressed
    except ValueError:
        return host.lower()
