"""Takes the pictures of docs/dashboard.md: `python tools/screenshots.py [DIRECTORY]`, docs/images by default.

The pages are served by the real API server's application over a state store of its own, filled with the sample report of
the tests; the clock stands still, so that a picture changes only where a page does. Needs Chromium.
"""

from __future__ import annotations

import base64
import struct
import sys
import tempfile
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright
from werkzeug.serving import make_server

from reconciler.report.links import GitHost
from reconciler.store.state import open_state, sqlite_url
from setscrew.stored_state import StoredState
from tests.support import browser, sample_past, sample_report
from webhook.api.app import create_api_app
from webhook.api.ports import ApiSettings

ROOT = Path(__file__).resolve().parents[1]
NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
TOKEN = "swordfish"
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 400, "height": 800}
OBJECT = f"/objects/{sample_report.finding_id(sample_report.CLASS)}"
OVER = f"/objects/{sample_report.finding_id(sample_past.FOUGHT)}"
UNKNOWN = f"/objects/{sample_report.finding_id(sample_report.UNKNOWN)}"
HOSTS = {"git.example.com": GitHost("gitea", "https://git.example.com")}
# Picture → path, and how it is looked at.
PICTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "overview": ("/", {"viewport": WIDE}),
    "overview-dark": ("/", {"viewport": WIDE, "color_scheme": "dark"}),
    "overview-narrow": ("/", {"viewport": NARROW}),
    "object": (OBJECT, {"viewport": WIDE}),
    "object-dark": (OBJECT, {"viewport": WIDE, "color_scheme": "dark"}),
    "object-narrow": (OBJECT, {"viewport": NARROW}),
    "over": (OVER, {"viewport": WIDE}),
    "unknown": (UNKNOWN, {"viewport": WIDE}),
    "sources": ("/sources", {"viewport": WIDE}),
    "denials": ("/denials?allowed=all", {"viewport": WIDE}),
    "grants": ("/grants", {"viewport": WIDE}),
    "coverage": ("/coverage", {"viewport": WIDE}),
    "rules": ("/rules", {"viewport": WIDE}),
}
_MOST_BYTES = 150_000


@contextmanager
def served(directory: Path) -> Iterator[str]:
    """The URL of an API server over the sample report."""
    state = open_state(sqlite_url(directory / "state.db"))
    sample_report.fill(state, NOW)
    settings = ApiSettings(token=TOKEN.encode(), now=lambda: NOW, cluster="prod-eu-1", git_hosts=HOSTS)
    app = create_api_app(StoredState(state), settings, lambda _: None)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        state.close()


def reduced(chromium: Browser, picture: bytes) -> bytes:
    """The same PNG with a palette: pages have few colours, so hardly a pixel changes, and it is a third as large."""
    page = chromium.new_page()
    found = page.evaluate(_TO_PALETTE, base64.b64encode(picture).decode())
    page.close()
    width, height, colours = found["width"], found["height"], bytes(found["colours"])
    pixels = base64.b64decode(found["pixels"])
    rows = b"".join(b"\0" + pixels[start : start + width] for start in range(0, len(pixels), width))
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", head), (b"PLTE", colours), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


# The most frequent colours are kept, each other one becomes the nearest of them.
_TO_PALETTE = """
async (encoded) => {
  const bitmap = await createImageBitmap(await (await fetch("data:image/png;base64," + encoded)).blob());
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height), context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const data = new Uint32Array(context.getImageData(0, 0, bitmap.width, bitmap.height).data.buffer);
  const counts = new Map();
  for (const one of data) counts.set(one, (counts.get(one) || 0) + 1);
  const kept = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 256).map(([one]) => one);
  const parts = (one) => [one & 255, (one >> 8) & 255, (one >> 16) & 255];
  const palette = kept.map(parts), index = new Map(kept.map((one, place) => [one, place]));
  const nearest = (one) => {
    const [r, g, b] = parts(one);
    let best = 0, least = Infinity;
    palette.forEach(([pr, pg, pb], place) => {
      const far = (r - pr) ** 2 + (g - pg) ** 2 + (b - pb) ** 2;
      if (far < least) { least = far; best = place; }
    });
    index.set(one, best);
    return best;
  };
  const pixels = Uint8Array.from(data, (one) => index.has(one) ? index.get(one) : nearest(one));
  let binary = "";
  for (let at = 0; at < pixels.length; at += 8192) binary += String.fromCharCode(...pixels.subarray(at, at + 8192));
  return {width: bitmap.width, height: bitmap.height, colours: palette.flat(), pixels: btoa(binary)};
}
"""


def main(target: Path) -> None:
    """Take all of them."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, served(Path(directory)) as url, sync_playwright() as playwright:
        chromium = browser.launch(playwright)
        for name, (path, how) in PICTURES.items():
            context = chromium.new_context(http_credentials=browser.signed_in(TOKEN), reduced_motion="reduce", **how)
            # Ages that move on while a slow machine loads a page are no news.
            context.add_init_script("window.setInterval = () => 0;")
            page = context.new_page()
            page.goto(url + path)
            file = target / f"{name}.png"
            picture = page.screenshot(full_page=True)
            context.close()
            file.write_bytes(reduced(chromium, picture))
            if file.stat().st_size > _MOST_BYTES:
                sys.exit(f"{file}: {file.stat().st_size} bytes, at most {_MOST_BYTES}")
            print(f"{file.name}: {file.stat().st_size} bytes")
        chromium.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "docs" / "images")
