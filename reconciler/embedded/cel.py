"""Owns the tokens of a CEL expression, so that two spellings of one can be told from two expressions. No algebra.

Grammar: google/cel-spec doc/langdef.md. Blanks and comments between tokens, and how a literal is quoted, mean nothing.
"""

from __future__ import annotations

import re
from typing import Final

from reconciler.model.tree import Tree

Tokens = tuple[tuple[str, str], ...]
_LONGEST: Final = 64 * 1024
_TOKEN: Final = re.compile(
    r"""
    (?P<blank>(?:[\t\n\f\r ]|//[^\n]*+)++)
  | (?P<raw>[bB]?[rR](?:\"\"\"(?:[^"]|\"(?!\"\"))*+\"\"\" | '''(?:[^']|'(?!''))*+'''
      | "[^"\r\n]*+" | '[^'\r\n]*+'))
  | (?P<text>(?P<prefix>[bB]?)
      (?:\"\"\"(?P<a>(?:[^\\"]|\\.|\"(?!\"\"))*+)\"\"\"
      |  '''(?P<b>(?:[^\\']|\\.|'(?!''))*+)'''
      |  "(?P<c>(?:[^\\"\r\n]|\\.)*+)"
      |  '(?P<d>(?:[^\\'\r\n]|\\.)*+)'))
  | (?P<number>(?:0[xX][0-9a-fA-F]++|(?:[0-9]++(?:\.[0-9]++)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?)[uU]?)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*+)
  | (?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE: Final = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL)
_NAMED: Final = dict(zip("abfnrtv\\?\"'`", "\a\b\f\n\r\t\v\\?\"'`", strict=True))


def tokens(expression: Tree) -> Tokens | None:
    """The tokens of an expression; None for what is none, which is then compared as text."""
    if not isinstance(expression, str) or len(expression) > _LONGEST:
        return None
    found, at = list[tuple[str, str]](), 0
    while at < len(expression):
        match = _TOKEN.match(expression, at)
        if match is None:
            return None
        at = match.end()
        if match["raw"] is not None:
            found.append(_raw(match["raw"]))
        elif match["text"] is not None:
            literal = _literal(match)
            if literal is None:
                return None
            found.append(literal)
        elif match["blank"] is None:
            found.append((match.lastgroup or "", match[0]))
    return tuple(found)


def _raw(written: str) -> tuple[str, str]:
    """A literal in which a backslash is one, and ends nothing."""
    quoted = written.lstrip("bBrR")
    around = 3 if quoted[:3] in ('"""', "'''") and len(quoted) > 5 else 1
    content = quoted[around:-around]
    return ("bytes br" if written[0] in "bB" else "text"), content


def _literal(match: re.Match[str]) -> tuple[str, str] | None:
    content = next(text for text in match.group("a", "b", "c", "d") if text is not None)
    # In bytes an escape is a byte, elsewhere a character: as it is written, so that neither is taken for the other.
    if match["prefix"]:
        return "bytes b", content
    value = _unescaped(content)
    return None if value is None else ("text", value)


def _unescaped(content: str) -> str | None:
    """The characters that a literal stands for; None for an escape that CEL does not know."""
    unknown = False

    def character(match: re.Match[str]) -> str:
        nonlocal unknown
        code = next((int(digits, 16) for digits in match.groups()[:3] if digits), None)
        code = int(match[4], 8) if match[4] else code
        if code is None and match[5] in _NAMED:
            return _NAMED[match[5]]
        if code is None or code > 0x10FFFF:
            unknown = True
            return ""
        return chr(code)

    value = _ESCAPE.sub(character, content)
    return None if unknown else value
