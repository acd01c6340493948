"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

import numpy as np
import pytest

from nbnumba.errors import FileError, InputError
from nbnumba.io.atomic import check_can_write, check_distinct, whole_file, write_array
from nbnumba.io.temporary import writing_for


def save(path: Path | str, data: bytes = b"new") -> None:
    with whole_file(path) as file:
        file.write(data)


def listing(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_is_absent_until_it_is_whole(tmp_path: Path) -> None:
    with whole_file(tmp_path / "out") as file:
        file.write(b"abc")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out").read_bytes() == b"abc"
    assert listing(tmp_path) == ["out"]


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError, MemoryError])
def test_a_failure_keeps_the_old_file_and_leaves_nothing_behind(tmp_path: Path, failure: type[BaseException]) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")

    def write_half() -> None:
        with whole_file(path) as file:
            file.write(b"half")
            raise failure

    with pytest.raises(failure):
        write_half()
    assert path.read_bytes() == b"old"
    assert listing(tmp_path) == ["out"]


def test_a_full_disk_is_named() -> None:
    with pytest.raises(FileError, match=r"^/dev/full: cannot be written: no space left on device$"):
        save("/dev/full", bytes(100_000))


def test_a_write_error_on_a_regular_file_becomes_one_line(tmp_path: Path) -> None:
    path = tmp_path / "out"

    def fail() -> None:
        with whole_file(path):
            raise OSError(28, "No space left on device")

    with pytest.raises(FileError, match=r"out: cannot be written: no space left on device$"):
        fail()
    assert listing(tmp_path) == []


def test_devices_are_written_directly() -> None:
    save("/dev/null")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_pipe_is_written_directly(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    save(pipe, b"through")
    reader.join(10.0)
    assert received == [b"through"]
    assert listing(tmp_path) == ["pipe"]


def test_an_open_descriptor_is_written_directly(tmp_path: Path) -> None:
    # A shell's "> file" holds the file open; renaming another over it would lose the output.
    with (tmp_path / "redirected").open("wb") as held:
        inode = os.fstat(held.fileno()).st_ino
        save(f"/dev/fd/{held.fileno()}")
    assert (tmp_path / "redirected").stat().st_ino == inode
    assert (tmp_path / "redirected").read_bytes() == b"new"


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real" / "file")
    save(link)
    assert link.is_symlink()
    assert (tmp_path / "real" / "file").read_bytes() == b"new"


def test_a_ring_of_links_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(FileError, match="cannot be written"):
        save(tmp_path / "a")
    with pytest.raises(FileError, match=r"^-floatfile .*a: cannot be written"):
        check_can_write("-floatfile", tmp_path / "a")


def test_the_umask_and_the_mode_of_an_old_file_are_respected(tmp_path: Path) -> None:
    old_mask = os.umask(0o027)
    try:
        save(tmp_path / "fresh")
        (tmp_path / "old").touch()
        (tmp_path / "old").chmod(0o604)
        save(tmp_path / "old")
    finally:
        os.umask(old_mask)
    assert stat.S_IMODE((tmp_path / "fresh").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "old").stat().st_mode) == 0o604


def test_the_longest_name_a_disk_allows(tmp_path: Path) -> None:
    save(tmp_path / ("x" * 255))
    assert (tmp_path / ("x" * 255)).read_bytes() == b"new"
    with pytest.raises(FileError, match="file name too long"):
        save(tmp_path / ("x" * 256))


def test_arrays_are_written_in_c_order_and_in_one_piece(tmp_path: Path) -> None:
    large = np.arange(5_000_000, dtype=np.float32)  # more than one block
    turned = np.arange(6, dtype=np.int16).reshape(2, 3).T
    with whole_file(tmp_path / "out") as file:
        write_array(file, large)
        write_array(file, turned)
        write_array(file, np.empty((0, 4)))
    assert (tmp_path / "out").read_bytes() == large.tobytes() + turned.tobytes()


def test_a_good_target_passes_and_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"old")
    check_can_write("-floatfile", tmp_path / "old")
    check_can_write("-floatfile", tmp_path / "fresh")
    check_can_write("-floatfile", "/dev/null")
    assert listing(tmp_path) == ["old"]
    assert (tmp_path / "old").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("file/out", r"^-intfile .*file/out: cannot be written: .*file is not a folder$"),
        ("absent/out", r"^-intfile .*absent/out: cannot be written: there is no folder .*absent$"),
        ("ABSENT/out", r"^-intfile .*ABSENT/out: cannot be written: there is no folder .*/ABSENT$"),
        ("folder", r"^-intfile .*folder: cannot be written: it is a folder$"),
        ("x" * 256, r"^-intfile .*: cannot be written: file name too long$"),
    ],
)
def test_a_bad_target_is_found_before_the_render(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileError, match=message) as caught:
        check_can_write("-intfile", tmp_path / name)
    assert "\n" not in str(caught.value)
    with pytest.raises(FileError, match="cannot be written"):
        save(tmp_path / name)
    assert listing(tmp_path) == ["file", "folder"]


@pytest.mark.parametrize("end", ["/", "/."])
def test_a_name_of_a_folder(tmp_path: Path, end: str) -> None:
    with pytest.raises(FileError, match=rf"^-intfile .*x{end}: cannot be written: it is a folder$"):
        check_can_write("-intfile", f"{tmp_path}/x{end}")
    with pytest.raises(FileError, match="it is a folder"):
        save(f"{tmp_path}/x{end}")
    assert listing(tmp_path) == []


def test_a_folder_in_which_nothing_can_be_made() -> None:
    # /sys refuses new files, to the superuser too.
    with pytest.raises(FileError, match=r"^-intfile /sys/out: cannot be written: "):
        check_can_write("-intfile", "/sys/out")


@pytest.mark.parametrize(("name", "message"), [("", "^-pgmfile: the file name is empty"), ("a\0b", "null character")])
def test_a_name_that_is_none(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_can_write("-pgmfile", name)
    with pytest.raises(InputError):
        save(name)


def test_two_outputs_with_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("a.img")
    check_distinct([("-floatfile", "a.bin"), ("-intfile", "a.img"), ("-noisefile", "b.img")])
    check_distinct([("-floatfile", "/dev/null"), ("-intfile", "/dev/null")])
    for other in ("a.img", "./a.img", str(tmp_path / "a.img"), "link"):
        with pytest.raises(InputError, match=r"^-noisefile .*: -intfile writes the same file"):
            check_distinct([("-floatfile", "a.bin"), ("-intfile", "a.img"), ("-noisefile", other)])


def test_an_output_with_the_name_of_an_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "A.mat").write_text("kept")
    (tmp_path / "link").symlink_to("A.mat")
    inputs = [("-mat", "A.mat"), ("-mask", "A.mat"), ("-hkl", "/dev/null")]
    check_distinct([("-floatfile", "a.bin"), ("-pgmfile", "/dev/null")], inputs)
    for name in ("A.mat", "./A.mat", "link"):
        with pytest.raises(InputError, match=r"^-floatfile .*: -ma(t|sk) reads the same file"):
            check_distinct([("-intfile", "a.bin"), ("-floatfile", name)], inputs)


def test_a_file_can_be_read_and_written_again(tmp_path: Path) -> None:
    with whole_file(tmp_path / "out", seekable=True) as file:
        file.write(b"abc")
        file.seek(0)
        assert file.read(1) == b"a"
        file.seek(1)
        file.write(b"x")
    assert (tmp_path / "out").read_bytes() == b"axc"
    with pytest.raises(FileError, match="it is a pipe or a device; this format needs a file"):
        save_seekable("/dev/null")


def save_seekable(path: Path | str) -> None:
    with whole_file(path, seekable=True) as file:
        file.write(b"new")


@pytest.mark.parametrize("replacement", [None, b"another"])
def test_a_file_whose_temporary_name_was_taken_away_is_not_finished(tmp_path: Path, replacement: bytes | None) -> None:
    """What was under the name stays, and nothing empty takes its place."""
    path = tmp_path / "out"
    path.write_bytes(b"old")

    def write() -> None:
        with whole_file(path) as file:
            file.write(b"new")
            (temporary,) = tmp_path.glob(".nbnumba-*.part")
            temporary.unlink()
            if replacement is not None:
                temporary.write_bytes(replacement)

    with pytest.raises(FileError, match=r"out: cannot be written: its temporary file .* was removed or replaced"):
        write()
    assert path.read_bytes() == b"old"


def whole(path: Path) -> bool:
    return path.read_bytes() == b"whole"


@pytest.mark.parametrize(("before", "after"), [(b"whole", b"whole"), (b"damaged", b"new"), (None, b"new")])
def test_a_whole_file_of_a_batch_is_not_replaced(tmp_path: Path, before: bytes | None, after: bytes) -> None:
    path = tmp_path / "out"
    if before is not None:
        path.write_bytes(before)
    with writing_for("f" * 64, whole):
        save(path)
    assert path.read_bytes() == after
    assert listing(tmp_path) == ["out"]


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*names: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    with writing_for("f" * 64, whole):
        save(tmp_path / "fresh")
        (tmp_path / "kept").write_bytes(b"whole")
        save(tmp_path / "kept")
    assert (tmp_path / "fresh").read_bytes() == b"new"
    assert (tmp_path / "kept").read_bytes() == b"whole"
    assert listing(tmp_path) == ["fresh", "kept"]
