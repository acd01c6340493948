"""What receives the notices of a computation: callables of its own context, and the handlers of `logging`."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path

import pytest

from nbnumba import Experiment, simulate
from nbnumba.util.messages import logger, muted, notices_only_to, notices_to

COMMAND = "-cell 40 -default_F 1 -detpixels 4 -oversample 1 -N 2"
NOTICE = "-coherent has no effect, as in nanoBragg"
FROM_PYTHON = f"import nbnumba; nbnumba.Experiment.from_command('{COMMAND} -semantics exact -coherent')"


@pytest.fixture(autouse=True)
def _logger_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what import-linter does to loggers that were there before it, in the test of the layers."""
    monkeypatch.setattr(logging.getLogger("nbnumba"), "disabled", False)


def test_threads_do_not_receive_notices_of_others() -> None:
    options = ("-density", "-MW", "-sample_den", "-stolout")
    threads = len(options)
    together = threading.Barrier(threads, timeout=60)

    def said(option: str) -> list[str]:
        received: list[str] = []

        def notify(line: str) -> None:
            together.wait()  # a receiver under a lock would never get past it
            received.append(line)

        Experiment.from_command(f"{COMMAND} -semantics exact {option} 1", notify=notify)
        return received

    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(said, options))
    assert found == [[f"{option} has no effect, as in nanoBragg"] for option in options]


def test_every_python_function_takes_notify(tmp_path: Path) -> None:
    received: list[str] = []
    (tmp_path / "a.txt").write_text(f"{COMMAND} -semantics exact -coherent\n")
    Experiment.from_file(tmp_path / "a.txt", notify=received.append)
    assert received == [NOTICE]
    received.clear()
    exact = Experiment(cell=(40,), default_F=1, detpixels=4, N=2, curved=True, notify=received.append)
    assert received == []
    again = exact.replace(semantics="c", notify=received.append)
    assert received == [
        "curved detector: as C, curved mirrors the image across a diagonal; semantics exact draws it right"
    ]
    again.replace(N=3)  # says the same, to nobody
    assert len(received) == 1


@pytest.mark.requires("no GPU")
def test_a_notice_says_that_there_is_no_gpu() -> None:
    received: list[str] = []
    simulate(Experiment.from_command(COMMAND), "auto", device=0, notify=received.append)
    (line,) = received
    assert line.startswith("rendered by the processor, as the GPU cannot be used: ")


@pytest.mark.parametrize(
    ("setting", "printed"), [("", ""), ("import logging; logging.basicConfig(); ", f"WARNING:nbnumba:{NOTICE}\n")]
)
def test_the_library_is_silent_until_logging_is_set_up(setting: str, printed: str) -> None:
    ran = subprocess.run([sys.executable, "-c", setting + FROM_PYTHON], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("", printed)


def test_listeners_within_one_another(caplog: pytest.LogCaptureFixture) -> None:
    outer: list[str] = []
    inner: list[str] = []
    with notices_to(outer.append):
        with notices_to(inner.append), notices_to(None):
            logger.warning("100 % of both")
        with notices_only_to(inner.append):
            logger.warning("inner alone")
        with muted():
            logger.warning("nobody")
        logger.warning("outer")
    logger.warning("handlers alone")
    assert outer == ["100 % of both", "outer"]
    assert inner == ["100 % of both", "inner alone"]
    assert caplog.messages == ["100 % of both", "outer", "handlers alone"]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_threads_receive_notices_in_a_copy_of_the_context() -> None:
    received: list[str] = []
    with notices_to(received.append):
        for action in (logger.warning, copy_context().run):
            words = ("alone",) if action == logger.warning else (logger.warning, "copied")
            thread = threading.Thread(target=action, args=words)
            thread.start()
            thread.join()
    assert received == ["copied"]


def test_a_listener_that_raises_ends_the_call() -> None:
    with pytest.raises(pytest.fail.Exception, match="has no effect"):
        Experiment.from_command(f"{COMMAND} -semantics exact -coherent", notify=pytest.fail)
    received: list[str] = []
    with notices_to(received.append):
        logger.warning("afterwards")
    assert received == ["afterwards"]


def test_a_receiver_gets_what_logging_is_set_to_drop(caplog: pytest.LogCaptureFixture) -> None:
    received: list[str] = []
    caplog.set_level(logging.CRITICAL, "nbnumba")
    Experiment.from_command(f"{COMMAND} -semantics exact -coherent", notify=received.append)
    assert received == [NOTICE]
    assert caplog.messages == []


def test_a_record_names_the_place_that_logged(caplog: pytest.LogCaptureFixture) -> None:
    logger.warning("here")
    (record,) = caplog.records
    assert (record.name, record.pathname) == ("nbnumba", __file__)
