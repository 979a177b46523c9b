"""sippy answers every call without media; run in an environment of its own, with the port."""

from __future__ import annotations

import os
import sys
from typing import Any

os.environ["SIPLOG_BEND"] = "none"

from sippy.CCEvents import CCEventConnect, CCEventTry  # type: ignore[import-not-found]
from sippy.Core.EventDispatcher import ED2  # type: ignore[import-not-found]
from sippy.MsgBody import MsgBody  # type: ignore[import-not-found]
from sippy.SipLogger import SipLogger  # type: ignore[import-not-found]
from sippy.SipTransactionManager import SipTransactionManager  # type: ignore[import-not-found]
from sippy.UA import UA  # type: ignore[import-not-found]

from interop.bench.floor import ANSWER

CONFIGURATION: dict[str, Any] = {}


def answer(event: Any, agent: Any) -> None:
    """What the user agent of a new call does with the caller's events."""
    if isinstance(event, CCEventTry):
        agent.recvEvent(CCEventConnect((200, "OK", MsgBody(ANSWER.decode()))))


def receive(request: Any, transaction: Any) -> Any:
    """What the transaction layer does with a request that belongs to no dialog."""
    if request.getHFBody("to").getTag() is not None:
        return (request.genResponse(481, "Call Leg/Transaction Does Not Exist"), None, None)
    if request.getMethod() == "INVITE":
        return UA(CONFIGURATION, answer).recvRequest(request, transaction)
    return (request.genResponse(501, "Not Implemented"), None, None)


if __name__ == "__main__":
    CONFIGURATION["_sip_address"] = "127.0.0.1"
    CONFIGURATION["_sip_port"] = int(sys.argv[1])
    CONFIGURATION["_sip_logger"] = SipLogger("bench")
    CONFIGURATION["_sip_tm"] = SipTransactionManager(CONFIGURATION, receive)
    ED2.loop()
