"""Owns the wire format of SSH: numbers and strings of bytes, read strictly. Pure; must not know what they mean."""

from __future__ import annotations


class WireError(ValueError):
    """Bytes that end too soon, or go on after the end."""


class Wire:
    """A reader over bytes; each call takes the next value. Raises WireError."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        end = self._at + count
        if end > len(self._data):
            raise WireError(f"ends after {len(self._data)} bytes")
        taken, self._at = self._data[self._at : end], end
        return taken

    def number(self) -> int:
        """An unsigned number of 32 bits."""
        return int.from_bytes(self.take(4))

    def string(self) -> bytes:
        """A length and so many bytes."""
        return self.take(self.number())

    def mpint(self) -> int:
        """A positive number of any length, in its one shortest form."""
        raw = self.string()
        value = int.from_bytes(raw, signed=True)
        if value <= 0 or mpint(value) != raw:
            raise WireError("a number that is not positive, or longer than it needs to be")
        return value

    def end(self) -> None:
        """Nothing may be left."""
        if self._at != len(self._data):
            raise WireError(f"{len(self._data) - self._at} bytes are left over")


def string(data: bytes) -> bytes:
    """As `Wire.string` reads it."""
    return len(data).to_bytes(4) + data


def mpint(value: int) -> bytes:
    """A positive number as bytes, with a leading zero where it would else look negative."""
    return value.to_bytes(value.bit_length() // 8 + 1)
