"""Whose call a recorded session is: one of our accounts, in whose name its requests go on."""

from __future__ import annotations

from sipstack.core.configuration import Configuration
from sipstack.dialog.identity import ANONYMOUS, Identity
from sipstack.message import NameAddr
from sipstack.usage.invite.kept_session import ACCOUNT
from sipstack.usage.invite.record import SessionRecord


def account_of(identity: Identity, configuration: Configuration) -> str:
    """The URI of the account whose ``identity`` this is; empty for the first one."""
    first = configuration.identity
    return "" if identity.aor == first.aor else str(NameAddr.parse(identity.aor).uri)


def identity_recorded(record: SessionRecord, configuration: Configuration) -> Identity:
    """The identity of its account where we have that one, else our first. As before it does not give
    credentials to everybody, and who was not to be known is not.
    """
    found = configuration.identity
    account = record.application.get(ACCOUNT)
    for identity in configuration.identities if account else ():
        if account_of(identity, configuration) == account:
            found = identity
            break
    if not record.is_caller:
        return found.for_callers
    dialog = record.dialog
    if found.aor != ANONYMOUS.aor and NameAddr.parse(dialog.local).uri == NameAddr.parse(ANONYMOUS.aor).uri:
        found = found.unnamed
    return found.towards(dialog.remote)
