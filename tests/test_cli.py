"""The program as it is started: help, errors, notices and exit statuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

import nbnumba
from nbnumba import cli
from nbnumba.commandline import help as usage
from nbnumba.errors import DeviceError, FileError, InputError

pytestmark = pytest.mark.command_line


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(nbnumba.__file__).parent.parent)}


def run_python(*words: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """Start a Python process of its own, with this nbnumba."""
    return subprocess.run(
        [sys.executable, *words], stdout=stdout, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, timeout=120
    )


@pytest.mark.parametrize("word", ["-help", "--help", "-h"])
def test_help(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["-N", "5", word]) == 0
    out, err = capsys.readouterr()
    assert out == usage.help_text() + "\n"
    assert err == ""


@pytest.mark.parametrize("word", ["-version", "--version"])
def test_version(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([word]) == 0
    assert capsys.readouterr().out == f"nbnumba {nbnumba.__version__}\n"


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("", "no crystal: give -mat FILE, -expt FILE or -cell"),
        ("-default_F 10", "no crystal"),
        ("-hkl P1.hkl -distance 100", "no crystal"),
        (
            "-cell 40",
            "no structure factors: give -hkl FILE, -pdb FILE or -default_F F (there is no Fdump.bin to read either)",
        ),
        (
            "-mat A.mat -default_F 0 -dump D.bin",
            "no structure factors: give -hkl FILE, -pdb FILE or -default_F F (there is no D.b",
        ),
    ],
)
def test_incomplete_command_shows_the_usage(line: str, missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(line.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(usage.USAGE)
    assert err.splitlines()[-1].startswith(f"nbnumba: error: {missing}")
    assert list(Path().iterdir()) == []


def test_dump_of_an_earlier_run_serves_as_structure_factors(capsys: pytest.CaptureFixture[str]) -> None:
    Path("Fdump.bin").write_bytes(b"no dump at all")
    assert cli.main(["-cell", "40"]) == 2
    assert "usage:" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "status", "message"),
    [
        ("-distanc 5", 2, "-distanc: unknown option; did you mean -distance?"),
        ("-lambda", 2, "-lambda: needs"),
        ("--", 2, "--: two dashes alone stand for nothing"),
        ("render -N 5", 2, "'render': neither an option nor a command ("),
        ("-mat absent.mat -default_F 5", 3, "absent.mat"),
        ("-img absent.img", 3, "absent.img"),
        ("-cell 40 -default_F 5 -floatfile absent/f.bin", 3, "absent/f.bin"),
        ("-cell 40 -default_F 5 -threads 100000", 2, "-threads"),
        ("noise", 2, "noise: "),
        ("noise absent.bin", 3, "absent.bin"),
    ],
)
def test_mistake_is_one_line(line: str, status: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(line.split()) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("nbnumba: error: ")
    assert message in err
    assert err.count("\n") == 1
    assert list(Path().iterdir()) == []


def test_notices_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["-coherent", "-hdiv", "0.2"]) == 2
    assert capsys.readouterr().err.splitlines()[:2] == [
        "nbnumba: notice: -coherent has no effect, as in nanoBragg",
        "nbnumba: notice: -hdiv has no effect, as in nanoBragg",
    ]


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (InputError("bad\n  value"), 2, "nbnumba: error: bad value"),
        (FileError("no disk"), 3, "nbnumba: error: no disk"),
        (DeviceError("no device"), 4, "nbnumba: error: no device"),
        (OSError(28, "No space left on device", "x.bin"), 3, "nbnumba: error: x.bin: No space left on device"),
        (MemoryError("1 TB"), 7, "nbnumba: error: not enough memory: 1 TB"),
        (MemoryError(), 7, "nbnumba: error: not enough memory"),
        (KeyboardInterrupt(), 130, "nbnumba: interrupted"),
    ],
)
def test_failure_is_one_line(error: BaseException, status: int, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.exit_status(partial(fail, error)) == status
    assert capsys.readouterr().err == line + "\n"


def test_a_mistake_of_ours_is_one_line_and_a_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.exit_status(partial(fail, ZeroDivisionError("by zero " * 100))) == 6
    (log,) = tmp_path.iterdir()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"nbnumba: error: internal error; please report it with the file {log.name} at https://")
    assert "ZeroDivisionError: by zero" in line
    assert len(line) <= len("nbnumba: error: ") + 300
    assert "Traceback" in log.read_text()


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("can't start new thread"),
        OSError(12, "Cannot allocate memory"),
        ImportError("libx.so: failed to map segment from shared object"),
    ],
)
def test_too_little_memory_has_many_names(error: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.exit_status(partial(fail, error)) == 7
    assert capsys.readouterr().err.startswith("nbnumba: error: not enough memory: ")


@pytest.mark.parametrize(
    ("behind", "status", "told"),
    [
        ("libx.so: failed to map segment from shared object", 7, "not enough memory: libx.so: failed to map segment"),
        ("libx.so: cannot open shared object file: No such file or directory", 3, "Could not find/load libx.so"),
    ],
)
def test_a_library_that_cannot_be_loaded(
    behind: str, status: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As llvmlite reports it: an error of its own, raised while that of the loader is handled."""

    def load() -> int:
        try:
            raise OSError(behind)
        except OSError:
            raise OSError("Could not find/load libx.so")  # noqa: B904

    assert cli.exit_status(load) == status
    assert capsys.readouterr().err.startswith(f"nbnumba: error: {told}")


def fail(error: BaseException) -> int:
    raise error


NOT_LOADED = """
import sys
from nbnumba.cli import main
status = main(sys.argv[1:])
heavy = {"numba", "h5py", "numpy", "typer", "rich"} & set(sys.modules)
sys.exit(f"loaded: {sorted(heavy)}" if heavy else status)
"""


@pytest.mark.parametrize(
    ("line", "status"),
    [("-help", 0), ("-version", 0), ("", 2), ("-distanc 5", 2), ("-lambda 0", 2), ("-cell 40 -default_F nan", 2)],
)
def test_help_and_mistakes_load_nothing_heavy(line: str, status: int) -> None:
    done = run_python("-c", NOT_LOADED, *line.split())
    assert done.returncode == status, done.stderr


@pytest.mark.parametrize("line", ["-img absent.img", "-mat absent.mat -default_F 5", "noise absent.bin"])
def test_missing_files_load_no_compiler(line: str) -> None:
    script = NOT_LOADED.replace(', "numpy", "typer", "rich"', "")
    done = run_python("-c", script, *line.split())
    assert done.returncode == 3, done.stderr


def test_import_loads_nothing_heavy() -> None:
    done = run_python("-c", "import sys, nbnumba; sys.exit(bool({'numba', 'h5py', 'numpy'} & set(sys.modules)))")
    assert done.returncode == 0


def test_module_is_the_program() -> None:
    done = run_python("-m", "nbnumba", "-lamda", "1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "nbnumba: error: -lamda: unknown option; did you mean -lambda?\n"


def test_reader_that_leaves_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = run_python("-m", "nbnumba", "-help", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_full_disk_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = run_python("-m", "nbnumba", "-help", stdout=full.fileno())
    assert (done.returncode, done.stderr) == (3, "nbnumba: error: standard output: No space left on device\n")


def hear_all_signals() -> None:
    """Undo in a child what a parent in the background hands down: some signals ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def test_ctrl_c_ends_with_one_line() -> None:
    words = "-cell 40 -default_F 5 -N 30 -detpixels 4000 -oversample 9 -nonoise".split()
    with subprocess.Popen(
        [sys.executable, "-m", "nbnumba", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        preexec_fn=hear_all_signals,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # the report has begun, so the program has started
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.decode().splitlines()[-1] == "nbnumba: interrupted"
    assert not Path("floatimage.bin").exists()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_ending_signal_removes_the_file_in_work(number: signal.Signals, status: int) -> None:
    script = (
        "import sys, time\n"
        "from nbnumba import cli\n"
        "from nbnumba.io.atomic import whole_file\n"
        "def work(words):\n"
        "    with whole_file('f.bin') as file:\n"
        "        print('begun', flush=True)\n"
        "        time.sleep(60)\n"
        "cli._run = work\n"
        "sys.exit(cli.main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        preexec_fn=hear_all_signals,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err.decode()) == (status, f"nbnumba: ended by {number.name}\n")
    assert list(Path().iterdir()) == []


def test_signals_are_left_alone_in_a_process_of_others() -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert cli.main(["-version"]) == 0
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_closed_stream_is_nowhere(closed: str) -> None:
    words = "-cell 40 -default_F 5 -detpixels 4 -oversample 1 -nonoise -seed 1"
    done = subprocess.run(
        f"{sys.executable} -m nbnumba {words} {closed}", shell=True, env=ENVIRONMENT, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert Path("floatimage.bin").stat().st_size == 64
