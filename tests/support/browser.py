"""A headless Chromium, driven through a pipe by the DevTools protocol."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from requirements import chromium_path

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",  # on file descriptors 3 and 4
    "--window-size=1400,1100",
)
_PATIENCE = 60.0  # seconds; a busy machine starts slowly
_KEY_CODES = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}


class Browser:
    """One tab; `requests` are the addresses that it asked for."""

    def __init__(self) -> None:
        program = chromium_path()
        assert program is not None
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._folder = tempfile.TemporaryDirectory(prefix="nbnumba-browser-", ignore_cleanup_errors=True)
        self._received = b""
        self._number = 0
        self._session: str | None = None
        self._start(program)

    def _start(self, program: str) -> None:
        to_read, self._write_end = os.pipe()
        self._read_end, to_write = os.pipe()
        # Away from 3 and 4, where they are to be.
        theirs = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (to_read, to_write)]
        log = os.open(Path(self._folder.name) / "log", os.O_WRONLY | os.O_CREAT, 0o600)
        actions = [
            (os.POSIX_SPAWN_DUP2, theirs[0], 3),
            (os.POSIX_SPAWN_DUP2, theirs[1], 4),
            (os.POSIX_SPAWN_DUP2, log, 1),
            (os.POSIX_SPAWN_DUP2, log, 2),
        ]
        words = [program, *_FLAGS, f"--user-data-dir={self._folder.name}/profile", "about:blank"]
        self._process = os.posix_spawn(program, words, os.environ, file_actions=actions)
        for end in (to_read, to_write, *theirs, log):
            os.close(end)

    def __enter__(self) -> Browser:
        target = next(info for info in self.call("Target.getTargets")["targetInfos"] if info["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._write_end)  # which ends the browser
        deadline = time.monotonic() + 10.0
        while os.waitpid(self._process, os.WNOHANG)[0] == 0:
            if time.monotonic() > deadline:
                os.kill(self._process, signal.SIGKILL)
                os.waitpid(self._process, 0)
                break
            time.sleep(0.02)
        os.close(self._read_end)
        self._folder.cleanup()

    def call(self, method: str, **parameters: Any) -> Any:
        """Send a command of the protocol and return its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write_end, json.dumps(message).encode() + b"\0")
        for answer in self._messages():
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
        raise AssertionError("messages end with an exception only")

    def _messages(self) -> Iterator[dict[str, Any]]:
        deadline = time.monotonic() + _PATIENCE
        while True:
            while b"\0" in self._received:
                text, _, self._received = self._received.partition(b"\0")
                message = json.loads(text)
                self._note(message)
                yield message
            if not select.select([self._read_end], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError(f"the browser did not answer within {_PATIENCE:g} s")
            chunk = os.read(self._read_end, 1 << 16)
            if not chunk:
                log = (Path(self._folder.name) / "log").read_text(errors="replace")
                raise RuntimeError(f"the browser ended: {log[-2000:]}")
            self._received += chunk

    def _note(self, message: dict[str, Any]) -> None:
        parameters = message.get("params", {})
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif message.get("method") == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(parameters["exceptionDetails"]))
        elif message.get("method") == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.errors.append(parameters["entry"]["text"])

    def open(self, path: Path | str) -> None:
        """Open a file from disk, or an address, and wait until the page says that it is ready."""
        self.call("Page.navigate", url=path if isinstance(path, str) else path.resolve().as_uri())
        deadline = time.monotonic() + _PATIENCE
        while self.evaluate("document.body?.dataset.ready ?? ''") != "true":
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path} did not get ready: {self.evaluate('document.body.innerText')}")
            time.sleep(0.05)

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression; a promise is awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """Dispatch a mouse event: mouseMoved, mousePressed, mouseReleased or mouseWheel."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def drag(self, start: tuple[float, float], end: tuple[float, float], **more: Any) -> None:
        """Press the left button at one place of the window and release it at another."""
        self.mouse("mouseMoved", *start)
        self.mouse("mousePressed", *start, button="left", buttons=1, clickCount=1, **more)
        for part in (0.25, 0.5, 0.75, 1.0):
            place = [s + part * (e - s) for s, e in zip(start, end, strict=True)]
            self.mouse("mouseMoved", *place, button="left", buttons=1, **more)
        self.mouse("mouseReleased", *end, button="left", clickCount=1, **more)

    def press(self, key: str) -> None:
        """Press a key and let it go."""
        text = {"text": key} if len(key) == 1 else {}
        code = {"windowsVirtualKeyCode": _KEY_CODES[key]} if key in _KEY_CODES else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text, **code)
        with contextlib.suppress(KeyError):
            self.call("Input.dispatchKeyEvent", type="keyUp", key=key, **code)

    def settle(self) -> None:
        """Wait until what was asked for is drawn."""
        self.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")

    def screenshot(self, path: Path) -> None:
        """Write what the window shows, for people."""
        import base64

        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))
