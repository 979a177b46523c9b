"""Calls that take the place of others (RFC 3891)."""

from __future__ import annotations

from sipstack.core.core import Core
from sipstack.message import Request
from sipstack.ua.call import Call
from sipstack.ua.outgoing import OutgoingInvite
from sipstack.ua.runtime import Runtime
from sipstack.usage.invite.replaces import replaced_session, replaces


class Replacing:
    """Has every user agent take an INVITE with Replaces."""

    def __init__(self, runtime: Runtime) -> None:
        pass

    def register(self, core: Core) -> None:
        """Announce it, and judge such an INVITE before anybody sees it."""
        core.registry.add_extension(replaces(core))


def replaced_call(runtime: Runtime, request: Request) -> Call | OutgoingInvite | None:
    """The call that the Replaces field of an INVITE means, as long as it is there."""
    reference = request.headers.readable("Replaces")
    session = None if reference is None else replaced_session(runtime.core, reference)
    if session is None:
        return None
    user = session.user if session.origin is None else session.origin.user
    return user if isinstance(user, Call | OutgoingInvite) else None
