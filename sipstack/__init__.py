"""sipstack: a SIP user agent stack for asyncio.

    async with sipstack.UserAgent("sip:alice@example.com", password="secret") as ua:
        async with ua.call("sip:bob@example.com") as call:
            await call.play("hello.wav")

``UserAgent`` owns one or more identities (``Account``): it places calls (``call``, ``invite``), answers calls
and requests (``serve``), registers (``register``) and sends single requests (``options``, ``message``).
``async with`` owns, ``async for`` streams, ``await`` gives an outcome. Refusals raise ``CallRejected``, the
end of a call raises ``CallEnded`` from what was in progress. ``sipstack.message`` and ``sipstack.sdp`` are
the parsers alone; ``sipstack.testing`` tests an application without sockets, in virtual time.
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from sipstack.ua.public import *  # noqa: F403

    __all__: list[str]
else:

    def __getattr__(name: str) -> Any:
        """Load the public names on first use: a program that only parses messages loads no sockets."""
        if name == "__all__" or not (name.startswith("__") or find_spec(f"sipstack.{name}")):
            from sipstack.ua import public

            names = {key: value for key, value in vars(public).items() if key[0].isalpha()}
            globals().update(names, __all__=sorted(names))
            if name in globals():
                return globals()[name]
        raise AttributeError(f"module 'sipstack' has no attribute {name!r}")
