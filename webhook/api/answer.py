"""Owns how a report goes over the wire: format, tag, gzip, piece by piece. Must not make it."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec
from flask import Response, request

from webhook.api.problems import Problem

_GZIP: Final = 16 + zlib.MAX_WBITS
_LEVEL: Final = 1  # the machine is the admission server's too: three times as fast as the usual level, a quarter larger


class _Stream(Response):
    """An answer whose length is not asked for: it would be made as a whole before its first byte is sent."""

    automatically_set_content_length = False


def chosen(names: Iterable[str], negotiated: Mapping[str, str]) -> str:
    """The format that is asked for: `format`, else the best of `Accept`. `negotiated`: names by media type, best first.

    Raises Problem 400 or 406.
    """
    if "format" in request.args:
        name = request.args["format"]
        if name not in names:
            raise Problem(400, f"parameter 'format' must be one of {', '.join(names)}")
        return name
    best = request.accept_mimetypes.best_match(list(negotiated), default=next(iter(negotiated)))
    if request.accept_mimetypes and not request.accept_mimetypes[best or ""]:
        raise Problem(406, f"there is {', '.join(negotiated)}")
    return negotiated[best or ""]


def streamed(pieces: Iterator[str], media_type: str, *, digest: str = "") -> Response:
    """An answer that is sent while it is made. With a digest it has a tag, and is sent to nobody who has it already."""
    squeezed = request.accept_encodings["gzip"] > 0
    body = (piece.encode("utf-8", "backslashreplace") for piece in pieces)
    response = _Stream(_squeezed(body) if squeezed else body, content_type=_content_type(media_type))
    if squeezed:
        response.headers["Content-Encoding"] = "gzip"
    response.vary.update(("Accept", "Accept-Encoding", "Authorization"))
    response.headers["Cache-Control"] = "private, no-cache"
    if digest:
        asked = sorted(request.args.items(multi=True))
        tag = hashlib.sha256(msgspec.json.encode([digest, media_type, asked])).hexdigest()
        # Weak: the times in the body move on while nothing else does.
        response.set_etag(tag, weak=True)
        response.make_conditional(request)
    return response


def _content_type(media_type: str) -> str:
    # Without a charset a browser guesses, and guesses can be steered by what the text says.
    return media_type if media_type.endswith("json") else f"{media_type}; charset=utf-8"


def _squeezed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    for piece in pieces:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()
