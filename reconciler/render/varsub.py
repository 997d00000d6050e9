"""Owns `${name}` in text as Flux's postBuild substitution reads it. Pure; must not know where values come from.

What the shell knows and Flux does not (`${a-b}`, `${a[0]}`) is an error there and here. `:+` and `:?` give the default
like `:-`. Lengths and offsets count bytes. `$${name}` is `${name}` in clear.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

_NAME: Final = re.compile(r"[_A-Za-z][_A-Za-z0-9]*")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+")
_DEFAULTS: Final = (":=", ":-", ":?", ":+")


class SubstitutionError(ValueError):
    """A text that Flux would not substitute either; the message quotes no value."""


def check_names(variables: Mapping[str, str]) -> None:
    """Raises SubstitutionError where one is no name of a variable: Flux then substitutes nothing at all."""
    for name in variables:
        if not _NAME.fullmatch(name):
            raise SubstitutionError(f"{name!r} is no name of a variable: letters, digits and _ only")


def substitute(text: str, variables: Mapping[str, str]) -> str:
    """`text` with each `${...}` replaced; a variable without a value counts as empty. Raises SubstitutionError."""
    return _Reader(text, variables).all()


class _Reader:
    """Reads one text from left to right; functions take their arguments at once, since none has an effect."""

    def __init__(self, text: str, variables: Mapping[str, str]) -> None:
        self._text = text
        self._at = 0
        self._variables = variables

    def all(self) -> str:
        found: list[str] = []
        while self._at < len(self._text):
            if self._opens():
                found.append(self._function())
            else:
                found.append(self._plain("", escapes="$"))
        return "".join(found)

    def _opens(self) -> bool:
        """Passes over `${` if it stands here."""
        here = self._text.startswith("${", self._at)
        self._at += 2 if here else 0
        return here

    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _plain(self, until: str, escapes: str = "") -> str:
        """What stands before `${` or one of `until`. `escapes` quote themselves, a backslash also `/`."""
        found: list[str] = []
        while self._at < len(self._text) and not self._text.startswith("${", self._at):
            sign, after = self._next(), self._text[self._at + 1 : self._at + 2]
            escaped = sign in escapes and bool(after) and (after in "\\/" if sign == "\\" else after == sign)
            if not escaped and sign in until:
                break
            found.append(after if escaped else sign)
            self._at += 2 if escaped else 1
        return "".join(found)

    def _function(self) -> str:
        """The value of what stands behind `${`, up to its `}`."""
        if self._taken("#"):
            name = self._name()
            self._close()
            return str(len(_bytes(self._value(name))))
        name = self._name()
        value, sign = self._value(name), self._next()
        if sign == ":" and self._text[self._at : self._at + 2] not in _DEFAULTS:
            return self._part(value)
        if sign in {":", "="}:
            self._at += 2 if sign == ":" else 1
            return self._default(value)
        parse: dict[str, Callable[[str], str]] = {
            **dict.fromkeys(",^", self._case),
            **dict.fromkeys("#%", self._trimmed),
            "/": self._replaced,
        }
        if sign in parse:
            return parse[sign](value)
        self._close()
        return value

    def _name(self) -> str:
        start = self._at
        while (sign := self._next()) and (sign.isalpha() or sign.isdecimal() or sign == "_"):
            self._at += 1
        if start == self._at:
            raise SubstitutionError("`${` is not followed by the name of a variable")
        return self._text[start : self._at]

    def _value(self, name: str) -> str:
        return self._variables.get(name, "")

    def _taken(self, sign: str) -> bool:
        """Passes over `sign` if it stands here."""
        here = self._next() == sign
        self._at += here
        return here

    def _close(self) -> None:
        if not self._taken("}"):
            raise SubstitutionError("`${` without its `}`, or with an expression that Flux does not know")

    def _argument(self, until: str, escapes: str = "") -> str:
        if self._opens():
            return self._function()
        start = self._at
        found = self._plain(until, escapes)
        if start == self._at:
            raise SubstitutionError("an expression in `${}` lacks what belongs behind its sign")
        return found

    def _default(self, value: str) -> str:
        found: list[str] = []
        while self._next() != "}":
            found.append(self._argument("}"))
        self._close()
        return value or "".join(found)

    def _part(self, value: str) -> str:
        self._at += 1
        if not self._next().isascii():
            raise SubstitutionError("the offset in `${name:offset}` is no number")
        arguments = [self._argument(":}")]
        if self._next() == ":":
            while self._taken(":"):
                pass
            arguments.append(self._argument("}"))
        self._close()
        if not all(map(_NUMBER.fullmatch, arguments)):
            return value
        data = _bytes(value)
        start, *rest = map(int, arguments)
        start = max(start + len(data), 0) if start < 0 else start
        if rest and rest[0] < 0 and start + rest[0] < len(data):
            raise SubstitutionError("the length in `${name:offset:length}` is negative")
        part = data[start : start + rest[0]] if rest else data[start:]
        return part.decode("utf-8", "surrogateescape")

    def _case(self, value: str) -> str:
        sign = self._operator(",^", 2)
        self._close()
        cases: dict[str, Callable[[str], str]] = {
            ",": lambda text: text[:1].lower() + text[1:],
            ",,": str.lower,
            "^": lambda text: text[:1].upper() + text[1:],
            "^^": str.upper,
        }
        return cases.get(sign, str)(value)

    def _operator(self, signs: str, most: int) -> str:
        start = self._at
        while self._at - start < most and self._next() and self._next() in signs:
            self._at += 1
        return self._text[start : self._at]

    def _trimmed(self, value: str) -> str:
        sign = self._operator(self._next(), 2)
        pattern = self._argument("}")
        self._close()
        if sign[0] == "%":
            return _without_prefix(value[::-1], pattern[::-1], longest=len(sign) == 2)[::-1]
        return _without_prefix(value, pattern, longest=len(sign) == 2)

    def _replaced(self, value: str) -> str:
        self._at += 1
        kind = self._operator("/#%", 1)
        old = self._argument("/", escapes="$\\")
        if not self._taken("/"):
            raise SubstitutionError("`${name/old/new}` lacks its second `/`")
        while self._taken("/"):
            pass
        if self._taken("}"):
            return value if kind in {"#", "%"} else value.replace(old, "", -1 if kind else 1)
        new = self._argument("}", escapes="$\\")
        self._close()
        if kind == "#":
            return value.replace(old, new, 1) if value.startswith(old) else value
        if kind == "%":
            return value.removesuffix(old) + new if value.endswith(old) else value
        return value.replace(old, new, -1 if kind else 1)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _without_prefix(value: str, pattern: str, *, longest: bool) -> str:
    """`value` without what `pattern`, as of a shell, fits at its start; never without an empty match."""
    try:
        wanted = re.compile(_expression(pattern), re.DOTALL)
    except (re.error, ValueError):
        return value
    ends = range(len(value), 0, -1) if longest else range(1, len(value) + 1)
    end = next((end for end in ends if wanted.fullmatch(value, 0, end)), 0)
    return value[end:]


def _expression(pattern: str) -> str:
    """A shell pattern (`*`, `?`, `[a-z]`, `[^a]`, quoted signs) as an expression. Raises ValueError for others."""
    parts, at = list[str](), 0
    while at < len(pattern):
        sign = pattern[at]
        at += 1
        if sign == "[":
            found = _CLASS.match(pattern, at)
            if not found:
                raise ValueError("a class of signs without its end")
            signs = "".join(f"\\{one}" if one in "[&~|" else one for one in found["signs"])
            parts.append(f"[{found['not']}{signs}]")
            at = found.end()
        elif sign == "\\":
            if at == len(pattern):
                raise ValueError("nothing behind the backslash")
            parts.append(re.escape(pattern[at]))
            at += 1
        else:
            parts.append({"*": ".*", "?": "."}.get(sign) or re.escape(sign))
    return "".join(parts)


_ONE: Final = r"(?:\\.|[^\\\]-])"
_CLASS: Final = re.compile(rf"(?P<not>\^?)(?P<signs>(?:{_ONE}(?:-{_ONE})?)+)\]", re.DOTALL)
