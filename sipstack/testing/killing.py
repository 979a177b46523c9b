"""User agents whose process is killed: nothing more comes of them, and what they held is free."""

from __future__ import annotations

from sipstack.media.session import AudioSession
from sipstack.ua.agent import UserAgent
from sipstack.ua.call import Call


async def kill(agent: UserAgent) -> None:
    """Leave ``agent`` as kill -9 does: no BYE, no un-registering, no RTCP, and not a word to its store. Its
    handlers are cancelled. Its block may be left afterwards, which does nothing more.
    """
    runtime = agent._runtime
    driver = runtime.driver
    driver._draining = True  # whatever the core puts out from now on is not done
    agent._sessions = None
    for thing in runtime.live:
        if isinstance(thing, Call) and isinstance(thing._media, AudioSession) and thing._media._transport:
            thing._media._transport.close()
    for endpoint in driver.endpoints:
        endpoint.close()
    runtime.grace.seconds = 0.0
    await agent.__aexit__(None, None, None)
