"""A call that another process had: it is here again, and its media come back."""

from __future__ import annotations

from collections.abc import Callable

from sipstack import sdp
from sipstack.core.lasting import BEGAN
from sipstack.errors import CallEnded, LocalProtocolError, SipError
from sipstack.log import CALL
from sipstack.media.port import MediaPort, RestorableMedia
from sipstack.ua.call import Call
from sipstack.ua.negotiating import holds
from sipstack.ua.result import Result
from sipstack.ua.runtime import Runtime
from sipstack.usage.invite.record import SessionRecord
from sipstack.usage.invite.session import Session


class ResumedCall(Call):
    """A ``Call`` in every respect. Its media go on at the same port, where it is free and nothing protected
    them; else a re-INVITE agrees on another, and on new keys. ``leave`` is called when it is over.
    """

    def __init__(
        self,
        runtime: Runtime,
        session: Session,
        media: MediaPort,
        record: SessionRecord,
        leave: Callable[[], None],
    ) -> None:
        super().__init__(runtime, session, media)
        self._leave = leave
        self._restored: Result[None] = Result()
        began = record.application.get(BEGAN)
        if isinstance(began, int | float):
            self._began = began
        # before whatever the peer asks for now: that waits for its turn
        runtime.spawn(self._restore(record.local, record.remote))

    @property
    def resumed(self) -> bool:
        """True: another process had it before, or this one before it was started again."""
        return True

    def _finish(self, by: str, reason: str = "") -> None:
        leave, self._leave = self._leave, nothing
        leave()
        super()._finish(by, reason)

    async def _restore(self, local: bytes | None, remote: bytes | None) -> None:
        try:
            await self._bring_back(local, remote)
        except CallEnded:
            pass
        except SipError as error:
            CALL.warning("%s: its media cannot be brought back: %s", self.id, error)
            self._hang_up_nowait("SIP;cause=488")
        finally:
            self._restored.set(None)

    async def _bring_back(self, local: bytes | None, remote: bytes | None) -> None:
        media, flows = self._media, False
        async with self._one_at_a_time:
            self._check_alive()
            if local is not None and remote is not None:
                ours, theirs = sdp.parse(local), sdp.parse(remote)
                self._held, self._remote_held = holds(ours), holds(theirs)
                if isinstance(media, RestorableMedia):
                    flows = await media.restore(ours, theirs)
        if not flows and self._session.received_offer is None:  # else the answer to that tells the same
            CALL.info("%s: its media need a new offer", self.id)
            try:
                await self._offer(self._direction)
            except LocalProtocolError as error:  # one is under way, or the media is closed
                CALL.info("%s: no new offer: %s", self.id, error)


def nothing() -> None:
    """It takes no room, or has left it already."""
