"""The asking half of a user agent (RFC 3261 §6: UAC): calls, registrations and single requests."""

from __future__ import annotations

from sipstack.ua.conversing import Conversing
from sipstack.ua.notifying import Notifying
from sipstack.ua.publishing import Publishing
from sipstack.ua.referring import Referring
from sipstack.ua.registering import Registering
from sipstack.ua.requesting import Requesting
from sipstack.ua.subscribing import Subscribing


class UserAgentClient(Referring, Registering, Requesting, Subscribing, Notifying, Publishing, Conversing):
    """Places calls, registers and sends requests. Every UserAgent is one; ``invitation.agent`` is typed so.

    Arguments that several methods share:

    ``headers``: further header fields, as pairs or a mapping. Those that the stack owns are refused
    (LocalProtocolError), with a word on what to use instead.
    ``account``: one of ``accounts``; the first if not given.
    ``from_``: a URI or a name-addr for From, in place of the account's, without its tag: a back-to-back user
    agent passes on that of the caller, ``invitation.from_``.
    ``max_forwards``: how many proxies it may pass (RFC 3261 §8.1.1.6); a back-to-back user agent gives what
    it received, less one.
    """
