"""Owns what a plain YAML scalar means to kubectl (go-yaml v2, YAML 1.1 with its own edges). Must not know documents.

PyYAML differs from kubectl in y/n, exponents without a dot, 0o octals, times, dates, `=` and zero-led decimals; each
difference would be a false drift or a missed one, so its resolvers are not used at all.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from decimal import Decimal
from typing import Final

Scalar = None | bool | int | float | str

_WORDS: Final[dict[str, Scalar]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
# Go's own float syntax, asked only where the scalar begins with a point: single underscores between digits.
_POINT_FLOAT: Final = re.compile(r"\.[0-9]+(_[0-9]+)*([eE][-+]?[0-9]+(_[0-9]+)*)?", re.ASCII)
_BASES: Final = (
    (re.compile(r"0[xX]([0-9a-fA-F]+)", re.ASCII), 16),
    (re.compile(r"0[bB]([01]+)", re.ASCII), 2),
    (re.compile(r"0[oO]?([0-7]+)", re.ASCII), 8),
    (re.compile(r"(0|[1-9][0-9]*)", re.ASCII), 10),
)
_INT64: Final = 2**63
_UINT64: Final = 2**64
_FLOAT_EXACT: Final = 2**53
_EXPONENT_FROM: Final = 10**21
# Enough for any number that fits 64 bits in base 2; a longer run of digits is a float or a string, and Python's
# own limit on digits must not be reached.
_DIGITS: Final = 80

TAG: Final = "tag:yaml.org,2002:"


class ScalarError(ValueError):
    """A scalar that kubectl refuses: its message names no value, only the kinds involved."""


def resolve_plain(text: str) -> Scalar:
    """The value of an unquoted scalar, as kubectl reads it. Never raises; .inf and .nan come back as floats.

    `1e3` stays the float 1000.0 here, since keys and tags ask for its type; `tidy` makes values of it.
    """
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first in "+-0123456789":
        return _number(text)
    if first == "." and _POINT_FLOAT.fullmatch(text):
        value = float(text)
        return text if math.isinf(value) else value
    return text


def resolve_tagged(tag: str, text: str) -> Scalar:
    """The value of a scalar with an explicit tag (in full: `tag:yaml.org,2002:int`); unknown tags give the text.

    Raises ScalarError where go-yaml cannot decode the text as the tag says.
    """
    name = tag.removeprefix(TAG) if tag.startswith(TAG) else ""
    if name == "binary":
        return _binary(text)
    if name not in {"int", "float", "bool", "null"}:
        return text
    value = resolve_plain(text)
    if name == "float" and isinstance(value, int) and not isinstance(value, bool) and value < _INT64:
        return float(value)
    if _type_name(value) != name:
        raise ScalarError(f"cannot decode this scalar as !!{name}")
    return value


def tidy(value: Scalar) -> Scalar:
    """JSON has one kind of number: whole numbers are ints, rounded to a float beyond 64 bits, as in the API server."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, int) and -_INT64 <= value < _INT64:
        return value
    value = float(value)
    if abs(value) >= _EXPONENT_FROM or not value.is_integer():
        return value
    # As the API server writes it: the shortest digits of the float, without an exponent below 1e21.
    return int(value) if abs(value) < _FLOAT_EXACT else int(Decimal(repr(value)))


def key_text(value: Scalar) -> str:
    """A mapping key as JSON has it: `1` → "1", `true` → "true". Raises ScalarError for null and huge integers."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or (isinstance(value, int) and value >= _INT64):
        raise ScalarError("a mapping key must be a string, a number or a boolean")
    return str(value) if isinstance(value, int) else _short_float(value)


def _number(text: str) -> Scalar:
    plain = text.replace("_", "")
    integer = _integer(plain)
    if integer is not None:
        return integer
    if _FLOAT.fullmatch(plain):
        value = float(plain)
        return text if math.isinf(value) else value
    return text


def _integer(plain: str) -> int | None:
    sign, digits = (plain[0], plain[1:]) if plain[:1] in {"+", "-"} else ("", plain)
    if len(digits) > _DIGITS:
        return None
    for pattern, base in _BASES:
        match = pattern.fullmatch(digits)
        if match:
            value = int(match.group(1), base)
            fits = value <= _INT64 if sign == "-" else value < (_INT64 if sign else _UINT64)
            return (-value if sign == "-" else value) if fits else None
    return None


def _short_float(value: float) -> str:
    """The fewest digits that give the same 32-bit float, in exponents from 1e+06 up: how go-yaml spells a key."""
    if math.isnan(value):
        return ".nan"
    try:
        single: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        single = math.copysign(math.inf, value)
    if math.isinf(single):
        return ".inf" if single > 0 else "-.inf"
    spellings = (f"{single:.{digits}e}" for digits in range(9))
    text = next(text for text in spellings if struct.unpack("f", struct.pack("f", float(text)))[0] == single)
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}e{exponent}" if not -4 <= int(exponent) < 6 else f"{Decimal(text):f}"


def _binary(text: str) -> str:
    try:
        return base64.b64decode(text.replace("\r", "").replace("\n", ""), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError) as error:
        raise ScalarError("!!binary value is not base64") from error


def _type_name(value: Scalar) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    return {int: "int", float: "float", str: "str"}[type(value)]
