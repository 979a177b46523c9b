"""What must be known of soft state after a restart, so that it is refreshed and not made a second time.

Plain values: no flow, no timer, no secret. ``expires_in``: the seconds that the server keeps it from the
moment the record was made. Write a record anew whenever the state is placed or refreshed: numbers grow.
"""

from __future__ import annotations

import attrs

from sipstack.dialog.dialog import Dialog
from sipstack.dialog.draft import Draft
from sipstack.message import Request


@attrs.frozen
class RegistrationRecord:
    """A binding. ``cseq``: the number of the last REGISTER; ``contact``: the URI that is bound; ``urn`` and
    ``reg_id``: see ``Instance``.
    """

    call_id: str
    local_tag: str
    cseq: int
    expires_in: float
    contact: str
    urn: str | None = None
    reg_id: int | None = None


@attrs.frozen
class PublicationRecord:
    """A publication. ``etag``: the entity tag by which the server knows our state (RFC 3903 §4)."""

    call_id: str
    local_tag: str
    cseq: int
    expires_in: float
    etag: str


@attrs.frozen
class SubscriptionRecord:
    """One subscription: its dialog has the Call-ID, tags, numbers, route set and target."""

    dialog: Dialog
    expires_in: float


@attrs.frozen
class SubscriberRecord:
    """What a SUBSCRIBE has made: one subscription for each fork."""

    call_id: str
    local_tag: str
    subscriptions: tuple[SubscriptionRecord, ...]


def local_tag(from_: str) -> str:
    """The tag of a From value of ours."""
    return from_.rpartition(";tag=")[2]


def recalled(draft: Draft, call_id: str, tag: str) -> Draft:
    """``draft`` with the Call-ID and the tag of ours from before."""
    from_ = draft.from_.rpartition(";tag=")[0]
    return attrs.evolve(draft, call_id=call_id, from_=f"{from_};tag={tag}")


def last_cseq(counted: int, request: Request | None) -> int:
    """The number of the last request that went out, where ``counted`` is that of the last one we wrote:
    credentials take one more.
    """
    return counted if request is None else max(counted, request.cseq.number)
