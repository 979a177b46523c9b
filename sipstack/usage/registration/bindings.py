"""Which of the bindings that a registrar lists is ours (RFC 3261 §10.2.4)."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from sipstack.errors import ParseError
from sipstack.message import NameAddr, Response, SipUri
from sipstack.message.grammar import number
from sipstack.message.params import Parameters
from sipstack.usage.registration.instance import Instance


@attrs.frozen
class Binding:
    """A Contact of the response."""

    uri: SipUri
    parameters: Parameters

    @property
    def seconds(self) -> int | None:
        """That it has left, where they can be read."""
        return seconds(self.parameters.get("expires"))


def bindings(response: Response) -> Iterator[Binding]:
    """What can be read of the bindings that the registrar lists: one odd element spoils none beside it."""
    for contact in response.headers.readable("Contact"):
        try:
            uri = contact.uri if isinstance(contact, NameAddr) else None
        except ParseError:
            continue
        if isinstance(uri, SipUri):
            yield Binding(uri, contact.parameters)


def seconds(text: str | None) -> int | None:
    """A number of seconds; None for what is none."""
    try:
        return number(text or "", 10**64, "number of seconds")
    except ParseError:
        return None


def ours_among(listed: list[Binding], ours: SipUri | None, instance: Instance | None) -> list[Binding]:
    """Those of ``listed`` that are ours: by instance and flow where they are given back, else by the URI as a
    whole (§19.1.4), else by user, host and port, because registrars add a parameter or drop one.
    """
    if instance is not None:
        listed = [each for each in listed if _is_of(each, instance)] or listed
    if ours is None:
        return []
    exact = [each for each in listed if each.uri == ours]
    alike = exact or [each for each in listed if _place(each.uri) == _place(ours)]
    if alike or instance is None:
        return alike
    return [each for each in listed if _is_of(each, instance)]  # a registrar may rewrite the whole URI


def _is_of(binding: Binding, instance: Instance) -> bool:
    written = (_text(binding, "+sip.instance") or "").strip("<>")
    if written.lower() != instance.urn.lower():
        return False
    flow = binding.parameters.get("reg-id")
    return instance.reg_id is None or flow is None or flow == str(instance.reg_id)


def _text(binding: Binding, name: str) -> str | None:
    try:
        return binding.parameters.text(name)
    except ParseError:
        return None


def gruu_of(binding: Binding, name: str) -> str:
    """The GRUU in the parameter ``name`` (RFC 5627 §5.4); empty where there is none that is a URI."""
    text = _text(binding, name) or ""
    try:
        uri = NameAddr.parse(f"<{text}>").uri if 0 < len(text) <= LONGEST_GRUU else None
    except ParseError:
        return ""
    return text if isinstance(uri, SipUri) and "gr" in uri.parameters else ""


LONGEST_GRUU = 512
"""Characters: it goes out in every Contact of ours."""


def _place(uri: SipUri) -> tuple[str | None, str, int]:
    return uri.user, uri.host.lower(), uri.port or 5060
