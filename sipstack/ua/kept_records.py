"""Records of soft state as plain values, and back: what comes from a store is looked at like what comes from
the network.
"""

from __future__ import annotations

import math
from typing import Any

import attrs

from sipstack.errors import ParseError
from sipstack.message import SipUri, parse_uri
from sipstack.message.grammar import is_token
from sipstack.ua.kept_state import SKIPPED
from sipstack.usage.conversation import Conversation
from sipstack.usage.invite.record import SessionRecord
from sipstack.usage.records import (
    PublicationRecord,
    RegistrationRecord,
    SubscriberRecord,
    SubscriptionRecord,
)

LONGEST_TEXT = 4096
MOST_FORKS = 32


def binding_values(record: RegistrationRecord) -> dict[str, Any]:
    """Ready for JSON. The instance is not part of it: it is the account's, or the node's."""
    return attrs.asdict(attrs.evolve(record, urn=None, reg_id=None))


def binding_of(values: object, age: float) -> RegistrationRecord | None:
    """The record that ``binding_values`` wrote ``age`` seconds ago, its CSeq so much higher that no REGISTER
    is sent a second time; None where nothing was kept or the binding is over. Raises ParseError for anything
    else.
    """
    fields = _fields(values)
    if fields is None:
        return None
    contact = parse_uri(_text(fields, "contact"))
    if not isinstance(contact, SipUri):
        raise ParseError("contact is no SIP URI")
    left = _seconds(fields, "expires_in") - age
    call_id, tag, cseq = _word(fields, "call_id"), _token(fields, "local_tag"), _skipped(fields)
    return None if left <= 0 else RegistrationRecord(call_id, tag, cseq, left, str(contact))


def publication_values(record: PublicationRecord) -> dict[str, Any]:
    """Ready for JSON."""
    return attrs.asdict(record)


def publication_of(values: object, age: float) -> PublicationRecord | None:
    """The record that ``publication_values`` wrote; see ``binding_of``."""
    fields = _fields(values)
    if fields is None:
        return None
    left = _seconds(fields, "expires_in") - age
    call_id, tag, cseq = _word(fields, "call_id"), _token(fields, "local_tag"), _skipped(fields)
    etag = _token(fields, "etag")
    return None if left <= 0 else PublicationRecord(call_id, tag, cseq, left, etag)


def subscriber_values(record: SubscriberRecord) -> dict[str, Any]:
    """Ready for JSON."""
    kept = [
        {"dialog": SessionRecord(each.dialog, True).as_values()["dialog"], "expires_in": each.expires_in}
        for each in record.subscriptions
    ]
    return {"call_id": record.call_id, "local_tag": record.local_tag, "subscriptions": kept}


def subscriber_of(values: object, age: float) -> SubscriberRecord | None:
    """The record that ``subscriber_values`` wrote; see ``binding_of``. What has run out is left out."""
    fields = _fields(values)
    if fields is None:
        return None
    kept = fields.get("subscriptions")
    if not isinstance(kept, list) or len(kept) > MOST_FORKS:
        raise ParseError("subscriptions is no list")
    found = tuple(each for each in (_subscription(one, age) for one in kept) if each.expires_in > 0)
    call_id, tag = _word(fields, "call_id"), _token(fields, "local_tag")
    if any((each.dialog.call_id, each.dialog.local_tag) != (call_id, tag) for each in found):
        raise ParseError("a subscription of another SUBSCRIBE")
    return SubscriberRecord(call_id, tag, found) if found else None


def conversation_of(values: object, age: float, peer: str, now: float) -> Conversation | None:
    """The conversation with ``peer`` of which ``Conversation.record`` was kept ``age`` seconds ago."""
    if values is None:
        return None
    found = Conversation.of_record(values, now - age)
    if found.peer != peer:
        raise ParseError("it is one with another peer")
    return found if found.over_at > now else None


def _subscription(values: object, age: float) -> SubscriptionRecord:
    fields = _fields(values) or {}
    session = {"dialog": fields.get("dialog"), "is_caller": True, "extensions": {}}
    dialog = SessionRecord.of_values(session).dialog
    return SubscriptionRecord(
        attrs.evolve(dialog, local_cseq=dialog.local_cseq + SKIPPED), _seconds(fields, "expires_in") - age
    )


# -- values -----------------------------------------------------------------------------------------------


def _fields(values: object) -> dict[str, object] | None:
    if values is None:
        return None
    if not isinstance(values, dict) or not all(type(key) is str for key in values):
        raise ParseError("it is no mapping")
    return values


def _text(fields: dict[str, object], name: str) -> str:
    text = fields.get(name)
    if type(text) is not str or not 0 < len(text) <= LONGEST_TEXT:
        raise ParseError(f"{name} is no text")
    return text


def _word(fields: dict[str, object], name: str) -> str:
    """A Call-ID, which has no white space."""
    text = _text(fields, name)
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ParseError(f"{name} cannot stand in a message")
    return text


def _token(fields: dict[str, object], name: str) -> str:
    text = _text(fields, name)
    if not is_token(text):
        raise ParseError(f"{name} is no token")
    return text


def _skipped(fields: dict[str, object]) -> int:
    number = fields.get("cseq")
    if type(number) is not int or not 0 <= number < 2**31 - SKIPPED:  # RFC 3261 §8.1.1.5
        raise ParseError("cseq is no CSeq number")
    return number + SKIPPED


def _seconds(fields: dict[str, object], name: str) -> float:
    seconds = fields.get(name)
    if type(seconds) not in (int, float) or not math.isfinite(seconds):  # type: ignore[arg-type]
        raise ParseError(f"{name} is no number of seconds")
    return float(seconds)  # type: ignore[arg-type]
