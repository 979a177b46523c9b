"""sipua answers every call without media; run in an environment of its own, with the port."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

from sipua import Application, Dialog, TransportAddress  # type: ignore[import-not-found]

from interop.bench.floor import ANSWER


class Answered(Dialog):  # type: ignore[misc]
    """A call that stays up until the caller's BYE."""

    async def handle_request(self, request: Any) -> None:
        """Answers a request inside the dialog."""
        if request.method == "ACK":
            return
        await self.send_response(self.create_response(request, 200))
        if request.method == "BYE":
            self._dialog_layer._dialog_terminated(self)


class Answering(Application):  # type: ignore[misc]
    """Answers each INVITE."""

    async def handle_request(self, request: Any) -> None:
        """Answers a request outside any dialog."""
        if request.method != "INVITE":
            return
        dialog = Answered.create_uas(dialog_layer=self.dialog_layer, request=request)
        response = dialog.create_response(request, 200)
        response.content_type = "application/sdp"
        response.body = ANSWER
        await dialog.send_response(response)


async def main(port: int) -> None:
    """Serves until the process is stopped."""
    logging.disable(logging.CRITICAL)
    await Answering().listen(TransportAddress(protocol="udp", host="127.0.0.1", port=port))
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
