"""What every transport around another one hands on; the packets are for each to see to."""

from __future__ import annotations

from sipstack.media.transport import PortSharing, RtpTransport


class WrappedTransport:
    """The ports, the errors and the end of the transport inside."""

    def __init__(self, transport: RtpTransport) -> None:
        self._transport = transport

    @property
    def port(self) -> int:
        return self._transport.port

    @property
    def rtcp_port(self) -> int:
        return self._transport.rtcp_port

    @property
    def send_errors(self) -> int:
        return self._transport.send_errors

    def share_port(self, shared: bool) -> None:
        """Of the transport inside, if it can."""
        if isinstance(self._transport, PortSharing):
            self._transport.share_port(shared)

    def close(self) -> None:
        self._transport.close()
