"""Owns how instants are written: RFC 3339 in UTC, so that they sort as text. Must not read a clock."""

from __future__ import annotations

from datetime import UTC, datetime


def stamp(time: datetime) -> str:
    """With seconds, as reports and stores write it."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stamp_of(seconds: float) -> str:
    """As `stamp`, of Unix seconds."""
    return stamp(datetime.fromtimestamp(seconds, UTC))


def stamp_milliseconds(time: datetime) -> str:
    """With milliseconds, as records of decisions write it."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stamp_microseconds(time: datetime) -> str:
    """With microseconds, as the API server writes a MicroTime."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
