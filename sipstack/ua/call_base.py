"""What all parts of a call have in common: who it is with, its session and media, our BYE."""

from __future__ import annotations

import asyncio

from sipstack.errors import CallEnded
from sipstack.media.port import MediaPort
from sipstack.message import Headers, NameAddr, Response, SessionId, Uri
from sipstack.sdp import Direction
from sipstack.ua.call_data import CallData
from sipstack.ua.leg import Leg
from sipstack.ua.reasons import reason_field
from sipstack.ua.result import Result
from sipstack.ua.runtime import Runtime
from sipstack.ua.session_ids import session_id_of
from sipstack.usage.invite.session import Session


class CallBase(Leg):
    """The state of one call; each part of ``Call`` derives from it."""

    _accepted: Result[None] | None = None  # a task waits until our 2xx is out

    def __init__(
        self,
        runtime: Runtime,
        session: Session,
        media: MediaPort,
        response: Response | None = None,
        answer: bytes = b"",
        one_at_a_time: asyncio.Lock | None = None,
    ) -> None:
        self._runtime = runtime
        self._session = session
        self._media: MediaPort = media
        self._began = runtime.now()
        self._ended_at: float | None = None
        self._said_bye = False
        self._ended: Result[CallEnded] = Result()
        self._ack: Result[bytes] | None = None  # a task waits for the answer in it
        self._reoffer: Result[None] | None = None
        self._one_offer = asyncio.Lock()
        # the media takes offers and answers in the order they came
        self._one_at_a_time = one_at_a_time or asyncio.Lock()
        self._first_answer = answer  # that of the 2xx, until the media has to know it
        self._disagreement: Exception | None = None
        self._wish = Direction.SENDRECV
        self._response = response
        self._asserted: tuple[NameAddr, ...] = ()
        self._method = "INVITE"  # that carries the offer of ours that is under way
        self._held = False
        self._remote_held = False

    # -- identity ------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The Call-ID."""
        return self._session.dialog.call_id

    @property
    def session_id(self) -> SessionId | None:
        """The UUIDs of both ends, ours as ``local``, which stay the same through back-to-back user agents
        (RFC 7989); None with ``session_ids=False``.
        """
        return session_id_of(self._session.dialog.session_id)

    @property
    def local(self) -> Uri:
        """Our address in this dialog."""
        return NameAddr.parse(self._session.dialog.local).uri

    @property
    def remote(self) -> Uri:
        """The other side's address in this dialog."""
        return NameAddr.parse(self._session.dialog.remote).uri

    @property
    def user(self) -> str | None:
        """The name of the user who has proved that this call is his, where ``serve`` has ``authenticate``;
        also of a call that another process began. None where nobody was asked, and of calls that we placed.
        """
        proof = self._session.usages.proof
        return None if proof is None else proof.user

    @property
    def response(self) -> Response | None:
        """The 2xx that answered the call, with its header fields; None for a call that we answered."""
        return self._response

    @property
    def asserted(self) -> tuple[NameAddr, ...]:
        """Who has answered, by P-Asserted-Identity of the 2xx, if a trusted peer sent it (RFC 3325)."""
        return self._asserted

    @property
    def duration(self) -> float:
        """Seconds since the call was answered, until its end."""
        return (self._runtime.now() if self._ended_at is None else self._ended_at) - self._began

    @property
    def data(self) -> CallData:
        """Values of your own that go with the call: to whoever takes it over, where calls are kept
        (``UserAgent(sessions=...)``), and to nobody else.
        """
        session = self._session
        if session.application is None:
            session.application = {}
        return CallData(session.application, self._keep_data)

    def _keep_data(self) -> None:
        if not self._is_over:
            self._runtime.command(self._session.keep, self._runtime.now())

    # -- the end -------------------------------------------------------------------------------------------

    def _hang_up_nowait(self, reason: str | None = None) -> None:
        """Say BYE without waiting."""
        if self._say_bye(reason_field(reason)):
            self._close_media_nowait()

    def _say_bye(self, why: Headers) -> bool:
        """With BYE the session is over for us: audio stops (RFC 3261 §15.1.1). False when it was already."""
        if self._is_over:
            return False
        self._said_bye = True
        self._runtime.grace.begin(self._ended)
        self._runtime.command(self._session.hang_up, self._runtime.now(), why)
        self._end_audio(CallEnded("local"))
        return True

    def _end_audio(self, end: CallEnded) -> None:
        audio = self._media.audio
        if audio is not None:
            audio.end(end)

    async def _close_media(self) -> None:
        """In our caller's task; one of its own goes on with it when that is cancelled."""
        try:
            await self._media.close()
        except BaseException:
            self._close_media_nowait()
            raise

    def _close_media_nowait(self) -> None:
        self._runtime.spawn(self._media.close(), must_finish=True)

    @property
    def _is_over(self) -> bool:
        """Whether the call has ended, or is on its way there by our BYE."""
        return self._ended.done or self._said_bye

    def _check_alive(self) -> None:
        """Raises CallEnded when the call is over, or on its way there by our BYE."""
        if self._ended.done:
            end = self._ended.result()
            raise CallEnded(end.by, end.reason)
        if self._said_bye:
            raise CallEnded("local")
