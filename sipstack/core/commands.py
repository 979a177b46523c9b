"""What an endpoint is told to do: calls, registrations and single requests begin here (RFC 3261 §8.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict, Unpack

import attrs

from sipstack.core.accounts import identity_recorded
from sipstack.core.services import Services
from sipstack.dialog.draft import Draft
from sipstack.dialog.identity import Identity
from sipstack.dialog.proof import NAME as PROOF
from sipstack.dialog.proof import Proof
from sipstack.dialog.usages import DialogUsages
from sipstack.errors import LocalProtocolError
from sipstack.message import Headers
from sipstack.message.headers import HeaderFields
from sipstack.message.session_id import paired
from sipstack.usage.invite.expiring_call import UNBOUNDED, ExpiringCall, expiring
from sipstack.usage.invite.expiry import NAME as EXPIRY
from sipstack.usage.invite.expiry import Expiry
from sipstack.usage.invite.extended_session import ExtendedSession
from sipstack.usage.invite.extension import NO_WISHES, NewCall
from sipstack.usage.invite.extensions import Extensions
from sipstack.usage.invite.kept_session import PEER
from sipstack.usage.invite.outgoing import OutgoingInviteUsage
from sipstack.usage.invite.record import SessionRecord
from sipstack.usage.invite.session import Session
from sipstack.usage.packages.package import EventPackage
from sipstack.usage.publication import PublicationUsage
from sipstack.usage.records import PublicationRecord, RegistrationRecord, SubscriberRecord
from sipstack.usage.refer.outgoing import OutgoingRefer
from sipstack.usage.registration.instance import Instance
from sipstack.usage.registration.usage import RegistrationUsage
from sipstack.usage.standalone import StandaloneRequest
from sipstack.usage.subscriber import SubscriberUsage

OUR_CALL = NewCall(is_caller=True)


class InWhoseName(TypedDict, total=False):
    """In whose name a request goes out: ours, unless given; and how far. ``from_`` is a name-addr in place of
    the identity's own.
    """

    identity: Identity | None
    from_: str
    max_forwards: int


class Commands(Services):
    """The commands that begin something; each returns the usage that it began."""

    expires = False
    """Whether there may be calls with an ``Expiry``."""

    def outgoing(
        self,
        target: str,
        headers: HeaderFields = (),
        *,
        anonymous: bool = False,
        wishes: Mapping[str, Any] = NO_WISHES,
        **sender: Unpack[InWhoseName],
    ) -> OutgoingInviteUsage:
        """A call to ``target`` (a URI); ``start`` routes it, then it asks for the offer (event ``Routed``).

        ``wishes``: by the name of an extension, what
        is asked of it in this call. ``anonymous``: our Contact does not tell who we are either.
        """
        introduction = self._invite_fields
        if self.registry.requirements:
            headers = (*self.registry.requirements, *headers)
        if headers:
            introduction = introduction.joined(Headers(headers))
        draft = self._draft("INVITE", target, introduction, b"", "", **sender)
        if anonymous:
            draft = attrs.evolve(draft, identity=draft.identity.unnamed)
        outgoing = OutgoingInviteUsage(self, draft)
        parts = self.registry.begin_call(OUR_CALL, wishes)
        if EXPIRY in wishes:
            parts = expiring(parts, wishes[EXPIRY])
            self.expires = True
        if parts:
            outgoing.extend(parts)
        return outgoing

    def standalone(
        self,
        method: str,
        target: str,
        headers: HeaderFields = (),
        body: bytes = b"",
        **sender: Unpack[InWhoseName],
    ) -> StandaloneRequest:
        """A request outside of any dialog, such as OPTIONS or MESSAGE; ``start`` sends it."""
        fields = self._own_fields.joined(Headers(headers))
        draft = self._draft(method, target, fields, body, None, **sender)
        return StandaloneRequest(self, draft)

    def subscriber(
        self,
        target: str,
        package: EventPackage,
        expires: int,
        headers: HeaderFields = (),
        **sender: Unpack[InWhoseName],
    ) -> SubscriberUsage:
        """A subscription to ``target`` for ``expires`` seconds (RFC 6665); ``start`` sends it."""
        draft = self._subscribing(target, headers, **sender)
        return SubscriberUsage(self, draft, package, expires)

    def resume_subscriber(
        self,
        record: SubscriberRecord,
        now: float,
        target: str,
        package: EventPackage,
        expires: int,
        headers: HeaderFields = (),
        **sender: Unpack[InWhoseName],
    ) -> SubscriberUsage:
        """The same, from before a restart; ``refresh`` sends it. Raises LocalProtocolError when one of its
        dialogs is here already.
        """
        if any(each.dialog.key in self._dialogs for each in record.subscriptions):
            raise LocalProtocolError("the dialog is here already")
        draft = self._subscribing(target, headers, **sender)
        return SubscriberUsage.from_record(record, self, draft, package, expires, now)

    def _subscribing(self, target: str, headers: HeaderFields, **sender: Unpack[InWhoseName]) -> Draft:
        fields = self._invite_fields.joined(Headers(headers))
        return self._draft("SUBSCRIBE", target, fields, b"", "", **sender)

    def publication(
        self,
        target: str,
        package: EventPackage,
        expires: int,
        headers: HeaderFields = (),
        *,
        record: PublicationRecord | None = None,
        **sender: Unpack[InWhoseName],
    ) -> PublicationUsage:
        """A state that is published at ``target`` (RFC 3903); ``publish`` sends it. ``record``: of it before
        a restart.
        """
        fields = self._own_fields.joined(Headers(headers))
        draft = self._draft("PUBLISH", target, fields, b"", None, **sender)
        written = package.name, package.content_type, expires
        if record is not None:
            return PublicationUsage.from_record(record, self, draft, *written)
        return PublicationUsage(self, draft, *written)

    def refer(
        self,
        target: str,
        headers: HeaderFields,
        **sender: Unpack[InWhoseName],
    ) -> OutgoingRefer:
        """A REFER outside of any dialog; ``start`` sends it."""
        fields = self._invite_fields.joined(Headers(headers))
        return OutgoingRefer(self, self._draft("REFER", target, fields, b"", "", **sender))

    def register(
        self,
        registrar: str,
        expires: int,
        headers: HeaderFields = (),
        *,
        identity: Identity | None = None,
        proxy: str | None = None,
        instance: Instance | None = None,
        record: RegistrationRecord | None = None,
    ) -> RegistrationUsage:
        """A registration of an address-of-record of ours; ``refresh`` sends it. ``proxy``: a route value in
        place of the identity's own; ``instance``: which device and flow it is of. ``record``: of it before a
        restart; then ``move`` sends it.
        """
        fields = (*self._user_agent(), *headers)
        if self.configuration.session_ids:  # one for all refreshes, as the Call-ID is
            fields = (*fields, ("Session-ID", paired(self.identifiers.uuid())))
        identity = identity or self.configuration.identity
        if record is not None:
            urn, reg_id = (None, None) if instance is None else (instance.urn, instance.reg_id)
            record = attrs.evolve(record, urn=urn, reg_id=reg_id)
            return RegistrationUsage.from_record(
                record, self, registrar, identity, expires, fields, proxy=proxy
            )
        return RegistrationUsage(self, registrar, identity, expires, fields, proxy=proxy, instance=instance)

    def resume(self, record: SessionRecord, now: float, identity: Identity | None = None) -> Session:
        """Go on with an established session that another core has recorded. Raises LocalProtocolError when
        its dialog is here already, or when the record does not say who the peer has proved to be.
        """
        if record.dialog.key in self._dialogs:
            raise LocalProtocolError("the dialog is here already")
        if identity is None:
            identity = identity_recorded(record, self.configuration)
            identity = self._registered.identities.get(identity, identity)
        elif not record.is_caller:
            identity = identity.for_callers
        usages = DialogUsages(self, attrs.evolve(record.dialog), identity)
        if PROOF in record.extensions:
            usages.proof = Proof.of_record(record.extensions[PROOF], now)
        if isinstance(host := record.extensions.get(PEER, {}).get("host"), str):
            usages.source = host
        session = Session.resumed(self, usages, record)
        parts = self.registry.begin_call(NewCall(record.is_caller))
        if EXPIRY in record.extensions:
            parts = expiring(parts, UNBOUNDED)
            self.expires = True
        if parts:
            session.extensions = Extensions(self, parts, ExtendedSession(session))
            session.extensions.restore(record.extensions, now)
        session.later = record.unread({part.name for part in parts})
        return session

    def expire(self, session: Session, expiry: Expiry) -> None:
        """How the call of ``session``, which is not accepted yet, is to end by itself."""
        if session.extensions is None:
            session.extensions = Extensions(self, (), ExtendedSession(session))
        session.extensions.put(ExpiringCall(expiry))
        self.expires = True

    def _draft(
        self,
        method: str,
        target: str,
        headers: Headers,
        body: bytes,
        contact: str | None,
        identity: Identity | None = None,
        from_: str = "",
        max_forwards: int = 70,
    ) -> Draft:
        identity, identifiers = identity or self.configuration.identity, self.identifiers
        registered = self._registered.identities
        if registered:
            identity = registered.get(identity, identity)
        if identity.trusted is not None:
            identity = identity.towards(target)
        return Draft(
            method,
            target,
            f"{from_ or identity.aor};tag={identifiers.tag()}",
            f"<{target}>",
            identifiers.call_id(),
            1,
            identity.routes,
            headers,
            body,
            contact,
            False,
            identity,
            str(max_forwards),
        )
