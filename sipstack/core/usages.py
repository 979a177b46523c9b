"""The usages by name, for the user agent, which gives them commands."""

from __future__ import annotations

from sipstack.usage.invite.incoming import IncomingInvite
from sipstack.usage.invite.outgoing import OutgoingInvite
from sipstack.usage.invite.session import Session
from sipstack.usage.registration import Registration
from sipstack.usage.standalone import StandaloneRequest

__all__ = ["IncomingInvite", "OutgoingInvite", "Registration", "Session", "StandaloneRequest"]
