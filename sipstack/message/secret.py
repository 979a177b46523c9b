"""A password that is not shown by accident."""

from __future__ import annotations

from sipstack.errors import LocalProtocolError


class Secret:
    """A text that no ``repr``, no ``str``, no ``attrs.asdict`` and no traceback with its locals shows.

    Raises LocalProtocolError for what is no text, or cannot be hashed as UTF-8.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str | Secret) -> None:
        if isinstance(text, Secret):
            text = text.reveal()
        if not isinstance(text, str):
            raise LocalProtocolError(f"a password is a str, not {type(text).__name__}")
        try:
            text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise LocalProtocolError("the password cannot be written in UTF-8") from None
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret('***')"


def secret_or_none(text: str | Secret | None) -> Secret | None:
    """``text`` concealed, where there is one: the attrs converter of an optional password."""
    return None if text is None else Secret(text)
