"""Sends INFO requests of Info Packages in a call (RFC 6086)."""

from __future__ import annotations

from sipstack.errors import LocalProtocolError, SipError
from sipstack.log import CALL
from sipstack.message import Response
from sipstack.message.grammar import is_token
from sipstack.message.headers import HeaderFields
from sipstack.ua.arguments import IN_REQUESTS, HeadersArgument, header_fields
from sipstack.ua.call_base import CallBase
from sipstack.ua.request import PendingRequest
from sipstack.usage.info import InfoRequest
from sipstack.usage.info_packages import NAME, InfoPackages, packages_of

OWNED = IN_REQUESTS | {
    "Content-Type": "give content_type=",
    "Info-Package": "it is the first argument",
    "Content-Disposition": "it follows from the package",
}


class PackagesCall(CallBase):
    """A call in which both sides may send one another what belongs to it."""

    @property
    def info_packages(self) -> tuple[str, ...]:
        """The Info Packages that the other side takes, in lower case (RFC 6086 §5)."""
        extensions = self._session.extensions
        part = extensions.find(NAME) if extensions is not None else None
        if isinstance(part, InfoPackages):
            return part.theirs or ()
        return (packages_of(self._response) or ()) if self._response is not None else ()

    async def info(
        self, package: str, body: bytes = b"", *, content_type: str = "", headers: HeadersArgument = ()
    ) -> Response:
        """Send an INFO of ``package`` in the call, and return its 2xx.

        Raises LocalProtocolError when the other side does not take that package, or a body has no
        ``content_type``; RequestFailed for a refusal; CallEnded when the call is over, or ends meanwhile;
        TransactionTimeout, TransportError.
        """
        fields = self._info_fields(package, body, content_type) + header_fields(headers, OWNED)
        self._check_alive()
        if package.lower() not in self.info_packages:
            taken = ", ".join(self.info_packages) or "none"
            raise LocalProtocolError(f"the other side takes no INFO of {package}, but of {taken}")
        runtime, usages = self._runtime, self._session.usages
        draft = usages.draft("INFO", fields, body)
        request = PendingRequest(runtime, InfoRequest(runtime.core, draft, usages))
        audio = self._media.audio
        forget = audio.when_ended(lambda: request._abort("the call is over")) if audio is not None else None
        try:
            response = await request.response()
        except SipError:
            self._check_alive()
            raise
        finally:
            if forget is not None:
                forget()
        self._check_alive()  # its answer may be that there is no call
        CALL.info("%s: INFO of %s is answered with %s", self.id, package, response.status)
        return response.raise_for_status()

    def _info_fields(self, package: str, body: bytes, content_type: str) -> HeaderFields:
        if not is_token(package):
            raise LocalProtocolError(f"{package!r} is no name of an Info Package")
        if body and not content_type:
            raise LocalProtocolError("a body needs content_type=")
        content = (("Content-Type", content_type), ("Content-Disposition", "Info-Package")) if body else ()
        return (("Info-Package", package), *content)
