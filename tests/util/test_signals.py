"""Signals that ask the program to end, wherever they meet it."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

# What every script ends with: its `work` is done as the program does it, and the exit status printed.
END = """
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
with ending_signals_raise():
    status = exit_status(work)
print(status)
"""

# The signal comes while an object is freed, where Python drops exceptions.
SCRIPT = """
import os, signal, sys, time
from nbnumba.util.exits import exit_status
from nbnumba.util.signals import ending_signals_raise

class Dropping:
    def __del__(self):
        os.kill(os.getpid(), {number})
        time.sleep(0.01)

def work():
    Dropping()
    for _ in range(1000):
        time.sleep(0.01)
    return 0

"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_that_is_dropped_is_raised_again(number: int, status: int) -> None:
    script = SCRIPT.format(number=int(number))
    ran = subprocess.run([sys.executable, "-c", script + END], capture_output=True, text=True, timeout=60)
    assert ran.stdout == f"{status}\n", ran.stderr
    assert "Exception ignored" not in ran.stderr


def test_other_exceptions_that_are_dropped_are_reported_as_ever() -> None:
    script = SCRIPT.replace("os.kill(os.getpid(), {number})", "raise ValueError('told')").replace("1000", "1")
    ran = subprocess.run([sys.executable, "-c", script + END], capture_output=True, text=True, timeout=60)
    assert ran.stdout == "0\n"
    assert "ValueError: told" in ran.stderr


def test_half_made_objects_of_the_compiler_are_freed_silently() -> None:
    """Ctrl-C may meet llvmlite while it makes an object: the object is then freed without what freeing needs."""
    half_made = (
        "from llvmlite.binding.ffi import ObjectRef\n\ndef work():\n    ObjectRef.__new__(ObjectRef)\n    return 0\n"
    )
    heading = SCRIPT.split("class Dropping")[0]
    ran = subprocess.run([sys.executable, "-c", heading + half_made + END], capture_output=True, text=True, timeout=60)
    assert (ran.stdout, ran.stderr) == ("0\n", "")


WAITING = """
import os, signal
from nbnumba.util.exits import exit_status
from nbnumba.util.signals import ending_signals_raise, signals_wait

def work():
    with signals_wait():
        with signals_wait():
            os.kill(os.getpid(), {number})
            print("inner", end=" ")
        print("outer", end=" ")
    print("never")

"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_can_be_kept_waiting(number: int, status: int) -> None:
    script = WAITING.format(number=int(number))
    ran = subprocess.run([sys.executable, "-c", script + END], capture_output=True, text=True, timeout=60)
    assert ran.stdout == f"inner outer {status}\n", ran.stderr


OF_OTHERS = """
import os, signal
from nbnumba.util.signals import signals_wait

def of_a_program(number, frame):
    raise TimeoutError(number)

for number, handler in ((signal.SIGALRM, of_a_program), (signal.SIGINT, signal.default_int_handler)):
    signal.signal(number, handler)
    try:
        with signals_wait():
            os.kill(os.getpid(), number)
            print("inside", end=" ")
    except (TimeoutError, KeyboardInterrupt) as error:
        print(type(error).__name__, signal.getsignal(number) is handler)
"""


def test_handlers_of_other_programs_wait_too() -> None:
    ran = subprocess.run([sys.executable, "-c", OF_OTHERS], capture_output=True, text=True, timeout=60)
    assert ran.stdout == "inside TimeoutError True\ninside KeyboardInterrupt True\n", ran.stderr


# The system may give a signal to any thread: here to the one that works.
ANOTHER_THREAD = """
import signal, threading, time
from concurrent.futures import Future
from nbnumba.util.exits import exit_status
from nbnumba.util.signals import ending_signals_raise, wait_for_any

def strike():
    time.sleep(0.3)
    signal.pthread_kill(threading.get_ident(), {number})
    time.sleep(30)

def work():
    threading.Thread(target=strike, daemon=True).start()
    wait_for_any([Future()])
    return 0

"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_that_another_thread_receives_wakes_the_main_thread(number: int, status: int) -> None:
    script = ANOTHER_THREAD.format(number=int(number))
    ran = subprocess.run([sys.executable, "-c", script + END], capture_output=True, text=True, timeout=20)
    assert ran.stdout == f"{status}\n", ran.stderr


STORM = """
import os, signal, time
from nbnumba.util.exits import exit_status
from nbnumba.util.signals import ending_signals_raise

def work():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(10)

"""
AFTERWARDS = "os.kill(os.getpid(), signal.SIGTERM)\nos.kill(os.getpid(), signal.SIGHUP)\nraise SystemExit(status)\n"


def test_more_signals_on_the_way_out_do_not_change_the_status() -> None:
    script = STORM + END + AFTERWARDS
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20)
    assert (ran.returncode, ran.stderr) == (143, "nbnumba: ended by SIGTERM\n")
