"""The executors of batches, each with real processes, schedulers and ranks, and small tasks."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path

import batch_processes
import batch_tasks
import pytest
from batch_processes import Cluster, Started, cluster, environment, eventually, mpi_words, started
from requirements import requires

from nbnumba.batch.executors import dask as engine_dask
from nbnumba.batch.executors import resources as shares
from nbnumba.batch.executors.open import check_executor, open_executor, own_share, run_on_ranks
from nbnumba.batch.executors.resources import Seat, Share, Sharing, own_cores, own_seat
from nbnumba.errors import FileError, InputError, WorkerError
from nbnumba.util.text import counted

pytestmark = [pytest.mark.command_line, pytest.mark.alone]

PROGRAM = str(Path(batch_tasks.__file__))


def tasks(folder: Path, count: int, seconds: float, *options: str) -> list[str]:
    """Return the words that start the program of batch_tasks.py."""
    return [sys.executable, PROGRAM, str(folder), str(count), str(seconds), *options]


def run(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, env=environment(""), capture_output=True, text=True, timeout=60)


def done(folder: Path) -> set[int]:
    return {int(path.stem) for path in folder.glob("*.done")}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("dask")) as running:
        yield running


class TestOptions:
    @pytest.mark.parametrize(
        ("name", "options", "message"),
        [
            ("spark", {}, "--engine: 'spark' is unknown; allowed are local, dask, mpi"),
            ("local", {"scheduler": "tcp://h:1"}, "--scheduler tcp://h:1: only --engine dask has a scheduler"),
            (
                "dask",
                {"scheduler": "here"},
                "--scheduler: 'here' is not an address, which is tcp://HOST:PORT, or a file",
            ),
            ("mpi", {"workers": 3}, "--workers: under --engine mpi the number of ranks is given to mpiexec"),
            ("dask", {"workers": 0}, "--workers: 0 is less than 1"),
            ("dask", {"threads": -1}, "--threads: -1 is less than 1"),
            ("local", {"threads": 10**6}, "--threads: 1000000 is not between 1 and"),
        ],
    )
    def test_mistakes(self, name: str, options: dict[str, object], message: str) -> None:
        with pytest.raises(InputError, match=message):
            check_executor(name, **options)  # type: ignore[arg-type]

    @requires("Dask")
    def test_a_scheduler_file_that_is_not_there(self) -> None:
        with pytest.raises(FileError, match=r"absent\.json: there is no such file"):
            open_executor("dask", scheduler="absent.json").__enter__()

    @pytest.mark.parametrize(("engine", "package"), [("dask", "distributed"), ("mpi", "mpi4py")])
    def test_a_package_that_is_missing(self, engine: str, package: str, out: Path) -> None:
        # A Python that finds its own modules and those of two folders, and no packages besides.
        hidden = (
            "import sys, runpy\n"
            "class Hidden:\n"
            "    @staticmethod\n"
            "    def find_spec(name, path=None, target=None):\n"
            f"        if name == {package!r}: raise ModuleNotFoundError(name)\n"
            "        return None\n"
            "sys.path[:] = [path for path in sys.path if 'packages' not in path]\n"
            f"sys.argv[:] = ['batch_tasks.py', {str(out)!r}, '1', '0', '--engine', {engine!r}]\n"
            f"runpy.run_path({PROGRAM!r}, run_name='__main__')\n"
        )
        ended = run([sys.executable, "-c", hidden])
        assert ended.returncode == WorkerError.exit_status
        assert "is not installed; pip install" in ended.stderr
        assert f"nbnumba[{engine}]" in ended.stderr
        assert ended.stderr.count("\n") == 1

    def test_nothing_heavy_is_loaded(self) -> None:
        heavy = "{'numba', 'dask', 'distributed', 'mpi4py'}"
        script = f"import sys, nbnumba.batch.executors.open; print({heavy} & set(sys.modules))"
        assert run([sys.executable, "-c", script]).stdout == "set()\n"


class TestShares:
    CORES = frozenset(range(8))

    def test_cores_are_divided_among_the_workers_of_a_host(self) -> None:
        seats = (*(Seat(str(i), "a", self.CORES, 1) for i in range(3)), Seat("3", "b", self.CORES, 1))
        sharing = Sharing(seats, backend="cpu")
        assert [sharing.share(seat).threads for seat in seats] == [2, 2, 2, 8]

    def test_workers_with_cores_of_their_own_share_nothing(self) -> None:
        seats = (Seat("0", "a", frozenset({0, 1, 2}), 1), Seat("1", "a", frozenset({3, 4}), 1))
        assert [Sharing(seats, backend="cpu").share(seat).threads for seat in seats] == [3, 2]

    def test_a_worker_that_does_several_tasks_counts_for_them(self) -> None:
        seat = Seat("0", "a", self.CORES, 4)
        assert Sharing((seat,), backend="cpu").share(seat) == Share(2, None)

    def test_more_workers_than_cores(self) -> None:
        seats = tuple(Seat(str(i), "a", self.CORES, 1) for i in range(20))
        assert Sharing(seats, backend="cpu").share(seats[0]).threads == 1

    def test_a_worker_that_came_later(self) -> None:
        seats = tuple(Seat(str(i), "a", self.CORES, 1) for i in range(2))
        sharing = Sharing(seats, backend="cpu")
        assert sharing.share(Seat("in the place of 1", "a", self.CORES, 1)).threads == 4
        assert sharing.share(Seat("far away", "c", self.CORES, 1)).threads == 8

    def test_what_the_user_says_counts(self) -> None:
        seat = Seat("0", "a", self.CORES, 1)
        assert Sharing((seat,), 3, "cpu").share(seat).threads == 3

    def test_gpus_go_round_among_the_workers_of_a_host(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shares, "count_gpus", lambda backend: 2)
        seats = tuple(Seat(str(i), host, self.CORES, 1) for host in "ab" for i in (f"{host}0", f"{host}1", f"{host}2"))
        assert [Sharing(seats).share(seat).device for seat in seats] == [0, 1, 0, 0, 1, 0]
        assert Sharing(seats).share(Seat("later", "a", self.CORES, 1)).device in (0, 1)

    def test_without_gpus(self) -> None:
        assert shares.count_gpus("cpu") == 0

    def test_another_version_is_refused(self) -> None:
        sharing = Sharing((own_seat("0"),), version="0.0.1")
        with pytest.raises(
            WorkerError, match=r"the worker 0 on .* has nbnumba .*, the batch 0\.0\.1; install the same"
        ):
            shares.perform(sharing, "0", own_share, ())


class TestInProcess:
    def test_the_task_is_done_here_when_submit_returns(self, out: Path) -> None:
        with open_executor("local", backend="cpu") as pool:
            assert (pool.workers, pool.in_flight) == (1, 1)
            future = pool.submit(batch_tasks.work, str(out), 1, 0.0)
            assert done(out) == {1}
            assert future.result() == (1, os.getpid(), None)
            assert isinstance(pool.submit(batch_tasks.work, str(out), 13, 0.0).exception(), FileError)

    def test_threads(self) -> None:
        with open_executor("local", threads=1, backend="cpu") as pool:
            assert pool.submit(own_share).result() == Share(1, None)
        assert own_share() == Share(None, None)

    def test_without_ranks_the_action_runs_as_it_is(self) -> None:
        assert run_on_ranks("local", lambda: 7) == 7


class TestProcesses:
    def test_tasks_in_two_processes(self, out: Path) -> None:
        ended = run(tasks(out, 6, 0.05, "--workers", "2"))
        assert (ended.returncode, ended.stderr) == (0, "")
        words, *lines = ended.stdout.splitlines()
        each = max(1, len(own_cores()) // 2)
        assert words == f"local: 2 processes, {counted(each, 'thread')} each"
        assert [line.split()[0] for line in lines] == list("012345")
        assert len({line.split()[1] for line in lines}) == 2
        assert {line.split()[2] for line in lines} == {str(each)}
        assert done(out) == set(range(6))

    def test_what_a_task_raises_ends_the_rest(self, out: Path) -> None:
        ended = run(tasks(out, 6, 0.3, "--workers", "2", "--fail", "inside"))
        assert (ended.returncode, ended.stderr) == (FileError.exit_status, "nbnumba: error: 13 is refused\n")

    def test_a_worker_that_is_killed(self, out: Path, tmp_path: Path) -> None:
        with started(tasks(out, 20, 0.2, "--workers", "2"), tmp_path / "log") as program:
            assert eventually(lambda: done(out))
            os.kill(program.find("spawn_main")[-1], signal.SIGKILL)
            assert program.wait() == WorkerError.exit_status
            assert len(done(out)) < 20
            assert program.printed.splitlines()[-1] == (
                "nbnumba: error: --engine local: a worker process was ended by SIGKILL, perhaps for want of memory; "
                "--resume goes on with what is missing"
            )
            assert eventually(lambda: not program.living(), 5.0)


@pytest.mark.parametrize(
    ("number", "status", "line"),
    [
        (signal.SIGINT, 130, "nbnumba: interrupted"),
        (signal.SIGTERM, 143, "nbnumba: ended by SIGTERM"),
        (signal.SIGKILL, -9, None),
    ],
    ids=["SIGINT", "SIGTERM", "SIGKILL"],
)
@pytest.mark.parametrize(
    ("before", "options", "abrupt"),
    [
        ("", ["--workers", "2"], False),
        pytest.param("", ["--engine", "dask", "--workers", "2"], True, marks=requires("Dask")),
        pytest.param("mpiexec", ["--engine", "mpi"], True, marks=requires("MPI")),
    ],
    ids=["local", "dask", "mpi"],
)
def test_a_signal_leaves_no_process_behind(
    before: str,
    options: list[str],
    abrupt: bool,
    number: signal.Signals,
    status: int,
    line: str | None,
    out: Path,
    tmp_path: Path,
) -> None:
    words = [*(mpi_words() if before else []), *tasks(out, 40, 0.3, *options)]
    with started(words, tmp_path / "log") as program:
        assert eventually(lambda: done(out)), program.printed
        if number == signal.SIGINT and not before:
            program.press_ctrl_c()
        else:  # mpiexec hands it on
            program.process.send_signal(number)
        assert program.wait(10.0) == status
        assert eventually(lambda: not program.living(), 10.0), program.living()
        assert "leaked" not in program.printed
        if line is not None:
            assert program.printed.count(line) == 1  # perhaps behind what a worker was about to print
            assert "Traceback" not in program.printed
            assert "Warning" not in program.printed
    assert 0 < len(done(out)) < 40
    if not abrupt:
        assert not list(out.glob("*.part"))


@requires("MPI")
def test_rank_0_reports_the_signal_however_busy_its_machine_is(out: Path, tmp_path: Path) -> None:
    """The first rank that leaves ends all others, and rank 0 alone prints."""
    with started([*mpi_words(), *tasks(out, 40, 0.3, "--engine", "mpi")], tmp_path / "log") as program:
        assert eventually(lambda: done(out)), program.printed
        (dealing,) = (number for number in program.find("batch_tasks.py") if rank_of(number) == "0")
        os.kill(dealing, signal.SIGSTOP)
        program.process.send_signal(signal.SIGINT)
        time.sleep(2.0)  # in which the ranks that serve would have left
        os.kill(dealing, signal.SIGCONT)
        assert program.wait(30.0) == 130
        assert program.printed.splitlines().count("nbnumba: interrupted") == 1
        assert eventually(lambda: not program.living(), 10.0), program.living()


@requires("MPI")
def test_a_rank_that_is_ended_before_it_starts_mpi_ends_the_job(tmp_path: Path) -> None:
    """The others would wait for it, and mpiexec with them, if it left in good order."""
    command = "-cell 50 60 70 -default_F 1 -lambda 1 -distance 50 -pixel 1 -detpixels 4 -N 2"
    (tmp_path / "s.toml").write_text(f'command = "{command}"\ncount = 4\n')
    words = [sys.executable, "-m", "nbnumba", "batch", str(tmp_path / "s.toml"), "-o", str(tmp_path / "out")]
    with started([*mpi_words(), *words, "--engine", "mpi"], tmp_path / "log") as program:

        def ready() -> list[int]:
            found = [number for number in program.find("nbnumba", "batch") if rank_of(number) == "1"]
            return [number for number in found if handles(number, signal.SIGTERM)]

        assert eventually(ready), program.printed
        os.kill(ready()[0], signal.SIGTERM)
        assert program.wait(20.0) != 0
        assert eventually(lambda: not program.living(), 10.0), program.living()
        assert "Traceback" not in program.printed
    assert not (tmp_path / "out").exists()


def handles(number: int, what: signal.Signals) -> bool:
    """Tell whether a process has a handler for a signal."""
    line = re.search(r"^SigCgt:\s*(\w+)$", Path(f"/proc/{number}/status").read_text(), re.MULTILINE)
    return line is not None and bool(int(line[1], 16) >> (what - 1) & 1)


def rank_of(number: int) -> str | None:
    """Return the rank of a process that mpiexec started."""
    for line in Path(f"/proc/{number}/environ").read_bytes().split(b"\0"):
        if line.startswith(b"PMI_RANK="):
            return line.removeprefix(b"PMI_RANK=").decode()
    return None


@requires("Dask")
def test_ctrl_c_while_a_cluster_is_started(out: Path, tmp_path: Path) -> None:
    with started(tasks(out, 40, 0.3, "--engine", "dask", "--workers", "2"), tmp_path / "log") as program:
        assert eventually(lambda: program.find("spawn_main")), program.printed
        program.press_ctrl_c()
        assert program.wait(30.0) == 130
        assert eventually(lambda: not program.living(), 10.0), program.living()
        assert program.printed.splitlines()[-1] == "nbnumba: interrupted"
        assert "Traceback" not in program.printed
    assert not done(out)


@requires("Dask")
class TestDask:
    def test_a_cluster_of_this_machine(self, out: Path) -> None:
        ended = run(tasks(out, 4, 0.05, "--engine", "dask", "--workers", "2", "--threads", "1"))
        assert (ended.returncode, ended.stderr) == (0, "")
        words, *lines = ended.stdout.splitlines()
        assert words == "dask: a cluster of this machine, 2 tasks at once, hosts: 1"
        assert [line.split()[::2] for line in lines] == [["0", "1"], ["1", "1"], ["2", "1"], ["3", "1"]]

    def test_a_scheduler_and_two_workers(self, dask: Cluster, out: Path) -> None:
        with open_executor("dask", scheduler=dask.address, workers=2, folder=out, backend="cpu") as pool:
            assert pool.words == f"dask: {dask.address}, 2 tasks at once, hosts: 1"
            futures = [pool.submit(batch_tasks.work, str(out), number, 0.05) for number in range(6)]
            assert wait(futures, timeout=20.0).not_done == set()
            processes = {future.result()[1] for future in futures}
            assert processes == {worker.process.pid for worker in dask.workers}
            assert {future.result()[2] for future in futures} == {max(1, len(own_cores()) // 2)}
        assert done(out) == set(range(6))
        assert {path.suffix for path in out.iterdir()} == {".done"}

    def test_a_scheduler_file(self, dask: Cluster) -> None:
        with open_executor("dask", scheduler=str(dask.scheduler_file), backend="cpu") as pool:
            assert pool.submit(own_share).result(20.0).device is None

    def test_two_tasks_with_the_same_words_are_two_tasks(self, dask: Cluster) -> None:
        with open_executor("dask", scheduler=dask.address, threads=5, backend="cpu") as pool:
            futures = [pool.submit(batch_tasks.process_and_threads) for _ in range(20)]
            found = {future.result(20.0) for future in futures}
        assert {threads for _, threads in found} == {5}
        assert len({process for process, _ in found}) == 2

    def test_what_a_task_raises(self, dask: Cluster, out: Path) -> None:
        with open_executor("dask", scheduler=dask.address, backend="cpu") as pool:
            future = pool.submit(batch_tasks.work, str(out), batch_tasks.REFUSED, 0.0)
            with pytest.raises(FileError, match="13 is refused"):
                future.result(20.0)

    def test_nobody_answers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(engine_dask, "CONNECT_SECONDS", 1.0)
        with (
            pytest.raises(
                WorkerError, match=r"--scheduler tcp://127\.0\.0\.1:1: no Dask scheduler can be reached there"
            ),
            open_executor("dask", scheduler="tcp://127.0.0.1:1"),
        ):
            pass

    def test_workers_that_do_not_fit(self, out: Path) -> None:
        with engine_dask._probe(out) as probe:
            good = shares.introduce(probe, "tcp://w:1", 1)
            assert engine_dask._unfit(good, out) is None
        assert list(out.iterdir()) == []
        unfit = shares.introduce(probe, "tcp://w:1", 1)  # the file is gone, as where the folder is another
        assert f"does not see the output folder {out}" in str(engine_dask._unfit(unfit, out))
        assert "has nbnumba 0.0.1" in str(engine_dask._unfit(good._replace(version="0.0.1"), out))
        assert "has Python 3.1.0" in str(engine_dask._unfit(good._replace(python="3.1.0"), out))
        missing = ModuleNotFoundError("No module named 'nbnumba'")
        assert "must be installed there too: No module named" in str(engine_dask._unfit(missing, out))

    def test_workers_with_an_old_nbnumba(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "nbnumba").mkdir()
        (tmp_path / "nbnumba" / "__init__.py").write_text('__version__ = "0.0.1"\n')
        monkeypatch.setattr(batch_processes, "ROOT", tmp_path)  # where they look for it
        with (
            cluster(tmp_path) as old,
            pytest.raises(WorkerError, match=r"cannot run nbnumba .*No module named 'nbnumba\.batch'"),
            open_executor("dask", scheduler=old.address),
        ):
            pass

    def test_a_worker_and_then_the_scheduler_are_killed(self, out: Path, tmp_path: Path) -> None:
        with cluster(tmp_path) as mortal:
            words = tasks(out, 40, 0.2, "--engine", "dask", "--scheduler", mortal.address)
            with started(words, tmp_path / "log") as program:
                assert eventually(lambda: len(done(out)) > 1), program.printed
                mortal.workers[0].process.kill()
                before = done(out)
                assert eventually(lambda: len(done(out)) > len(before) + 3), "the other worker goes on"
                mortal.scheduler.process.kill()
                assert program.wait(30.0) == WorkerError.exit_status
                assert len(done(out)) < 40
                assert program.printed.splitlines()[-1] == (
                    f"nbnumba: error: --engine dask: {mortal.address}: the connection to the scheduler is lost; "
                    "--resume goes on with what is missing"
                )
                assert "Traceback" not in program.printed


@requires("MPI")
class TestMpi:
    def test_two_ranks_serve_one(self, out: Path) -> None:
        ended = run([*mpi_words(), *tasks(out, 6, 0.05, "--engine", "mpi")])
        assert (ended.returncode, ended.stderr) == (0, "")
        words, *lines = ended.stdout.splitlines()
        assert words == "mpi: 2 ranks and one that deals out, hosts: 1"
        assert [line.split()[0] for line in lines] == list("012345")
        assert len({line.split()[1] for line in lines}) == 2
        assert {line.split()[2] for line in lines} == {str(max(1, len(own_cores()) // 2))}

    @pytest.mark.parametrize(
        ("when", "count", "message"),
        [("before", 4, "before any work"), ("after", 4, "after all work"), ("inside", 6, "13 is refused")],
    )
    def test_a_failure_of_rank_0_ends_all(self, when: str, count: int, message: str, out: Path) -> None:
        ended = run([*mpi_words(), *tasks(out, count, 0.1, "--engine", "mpi", "--fail", when)])
        assert ended.returncode == FileError.exit_status
        assert ended.stderr.splitlines()[0] == f"nbnumba: error: {message}"
        assert ended.stderr.count("nbnumba: ") == 1

    def test_a_rank_that_is_killed_ends_the_job(self, out: Path, tmp_path: Path) -> None:
        with started([*mpi_words(), *tasks(out, 40, 0.2, "--engine", "mpi")], tmp_path / "log") as program:
            assert eventually(lambda: done(out)), program.printed
            os.kill(ranks(program)[-1], signal.SIGKILL)
            assert program.wait(10.0) != 0
            assert eventually(lambda: not program.living(), 10.0), program.living()
        assert 0 < len(done(out)) < 40

    @pytest.mark.parametrize("before", [[], ["mpiexec"]], ids=["no mpiexec", "mpiexec -n 1"])
    def test_one_rank_is_too_few(self, before: list[str], out: Path) -> None:
        ended = run([*(mpi_words(1) if before else []), *tasks(out, 1, 0.0, "--engine", "mpi")])
        assert ended.returncode == WorkerError.exit_status
        assert "--engine mpi: there is one rank only" in ended.stderr
        assert "start it as mpiexec -n 3 nbnumba batch" in ended.stderr

    def test_another_way_to_start_ranks_is_refused(self, out: Path) -> None:
        program, *words = tasks(out, 1, 0.0, "--engine", "mpi")
        ended = run([*mpi_words(), program, "-m", "mpi4py.futures", *words])
        assert ended.returncode == WorkerError.exit_status
        assert "--engine mpi: not through python -m mpi4py.futures" in ended.stderr


def ranks(program: Started) -> list[int]:
    """Return the processes of the ranks."""
    helpers = {number for name in ("mpiexec", "hydra") for number in program.find(name)}
    return [number for number in program.find(PROGRAM) if number not in helpers]
