"""The unit that the gate counts in: a fixed piece of pure Python, of the kind that a SIP stack is made of."""

from __future__ import annotations

_LINES = [f"X-Header-{number}: value-{number};name=token{number};other" for number in range(40)]


class Field:
    """One line, split."""

    __slots__ = ("name", "parameters", "value")

    def __init__(self, name: str, value: str, parameters: tuple[tuple[str, str], ...]) -> None:
        self.name = name
        self.value = value
        self.parameters = parameters


def split(line: str) -> Field:
    """A name, a value, and parameters."""
    name, _, rest = line.partition(":")
    value, *parameters = rest.strip().split(";")
    return Field(
        name.lower(), value, tuple((one.partition("=")[0], one.partition("=")[2]) for one in parameters)
    )


def work() -> bytes:
    """One unit: slicing, dictionaries, small objects, joining, encoding and decoding."""
    fields = {field.name: field for field in map(split, _LINES)}
    lines = [f"{name}: {field.value}" for name, field in fields.items() if field.parameters]
    text = "\r\n".join(lines).encode()
    return text.decode().replace("value", "v").upper().encode()
