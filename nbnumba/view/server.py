"""A server of this machine alone, for one browser: it answers no one who does not know the token of its address."""

from __future__ import annotations

import hmac
import json
import secrets
import struct
import threading
from collections.abc import Sequence
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources

from ..errors import InputError, NbnumbaError
from ..parameters.command import CommandLine
from .frames import Frame, FrameName, read_frame

LOOPBACK = "127.0.0.1"
_FILES = {
    "": ("nbnumba.view", "page.html", "text/html; charset=utf-8"),
    "view.js": ("nbnumba.view", "view.js", "text/javascript; charset=utf-8"),
    "view.css": ("nbnumba.view", "view.css", "text/css; charset=utf-8"),
    "page.css": ("nbnumba.compare.page", "page.css", "text/css; charset=utf-8"),
    "panels.js": ("nbnumba.compare.page", "panels.js", "text/javascript; charset=utf-8"),
    "pixels.js": ("nbnumba.compare.page", "pixels.js", "text/javascript; charset=utf-8"),
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_KEPT = 4  # frames in memory


class ViewServer(ThreadingHTTPServer):
    """Serves frames under a random address of the loopback interface.

    Parameters
    ----------
    frames : sequence of FrameName
    typed : CommandLine
        Options as for rendering.
    port : int
        0: any that is free.

    Raises
    ------
    InputError
        The port is taken.
    """

    daemon_threads = True

    def __init__(self, frames: Sequence[FrameName], typed: CommandLine, port: int = 0) -> None:
        self.frames = frames
        self.token = secrets.token_urlsafe(24)
        self._read = lru_cache(_KEPT)(lambda number: read_frame(frames[number], typed))
        self._one_at_a_time = threading.Lock()
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or "allowed are 0 to 65535"
            raise InputError(f"view: --port {port}: {reason}") from None

    @property
    def address(self) -> str:
        """Where a browser finds the page."""
        return f"http://{LOOPBACK}:{self.server_port}/{self.token}/"

    def frame(self, number: int) -> Frame:
        """Return a frame; the last few are kept."""
        with self._one_at_a_time:
            return self._read(number)


class _Handler(BaseHTTPRequestHandler):
    """Answers GET of the page, its parts, the list of frames, and frames."""

    server: ViewServer
    server_version = "nbnumba"
    sys_version = ""
    timeout = 60

    def do_GET(self) -> None:
        """Answer one request."""
        port = self.server.server_port
        # Another site whose name was made to lead here would send its own name.
        if self.headers.get("Host") not in (f"{LOOPBACK}:{port}", f"localhost:{port}"):
            self._answer(403, b"forbidden", "text/plain")
            return
        token, slash, rest = self.path.removeprefix("/").partition("/")
        known = hmac.compare_digest(token.encode("utf-8", "replace"), self.server.token.encode())
        if not (known and slash):
            self._answer(404, b"not found", "text/plain")
            return
        if rest in _FILES:
            package, name, kind = _FILES[rest]
            self._answer(200, resources.files(package).joinpath(name).read_bytes(), kind)
        elif rest == "frames":
            self._answer(200, json.dumps([frame.title for frame in self.server.frames]).encode(), "application/json")
        else:
            self._answer_frame(rest)

    def _answer_frame(self, rest: str) -> None:
        kind, _, text = rest.partition("/")
        number = int(text) if text.isdecimal() and len(text) < 10 else -1
        if kind != "frame" or not 0 <= number < len(self.server.frames):
            self._answer(404, b"not found", "text/plain")
            return
        try:
            frame = self.server.frame(number)
        except NbnumbaError as error:
            self._answer(500, str(error).encode("utf-8", "replace"), "text/plain; charset=utf-8")
            return
        # The length of the text, the text, padded to four bytes, and the pixels: float32, little-endian.
        about = json.dumps({"shape": frame.values.shape, "title": self.server.frames[number].title, **frame.about})
        text_bytes = about.encode().ljust(-(-len(about.encode()) // 4) * 4)
        pixels = frame.values.astype("<f4", copy=False).tobytes()
        self._answer(200, struct.pack("<I", len(text_bytes)) + text_bytes + pixels, "application/octet-stream")

    def _answer(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing: standard error is for notices."""
