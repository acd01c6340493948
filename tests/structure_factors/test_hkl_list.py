"""Reflection lists."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbnumba.errors import FileError, InputError
from nbnumba.structure_factors import hkl_list as hkl
from nbnumba.structure_factors.table import IndexBox, inside
from nbnumba.util.messages import notices_to

BLOCK = 1 << 20  # bytes that the reader takes at a time


def read(folder: Path, text: str | bytes, **options) -> tuple[np.ndarray, IndexBox, int]:
    (folder / "a.hkl").write_bytes(text.encode() if isinstance(text, str) else text)
    table, box, count = hkl.read(folder / "a.hkl", **options)
    return inside(table), box, count


def structure_factors(folder: Path, words: list[str]) -> list[float]:
    """Return what a list makes of these words for F, one reflection each."""
    values, _, _ = read(folder, "".join(f"{n} 0 0 {word}\n" for n, word in enumerate(words)))
    return values.ravel().tolist()


def test_a_box_from_the_smallest_to_the_largest_indices(tmp_path: Path) -> None:
    values, box, count = read(tmp_path, "  -2    0    3    7.500\n   1   -1    3 -2\n")
    assert box == IndexBox(-2, 1, -1, 0, 3, 3)
    assert count == 2
    expected = np.zeros((4, 2, 1))
    expected[0, 1, 0], expected[3, 0, 0] = 7.5, -2.0
    np.testing.assert_array_equal(values, expected)


def test_the_last_of_a_repeated_reflection_counts(tmp_path: Path) -> None:
    values, _, count = read(tmp_path, "1 1 1 5\n1 1 2 6\n1 1 1 1.00000000000000000001e1\n1 1 1 8\n")
    assert values.ravel().tolist() == [8.0, 6.0]
    assert count == 4
    # More digits than fit keep their turn.
    values, _, _ = read(tmp_path, "1 1 1 8\n1 1 1 1.2345678901234567890\n")
    assert values.ravel().tolist() == [1.2345678901234567890]


def test_gaps_hold_the_default(tmp_path: Path) -> None:
    lines: list[str] = []
    values, _, _ = read(tmp_path, "0 0 0 0\n2 0 0 5\n", default_F=3.5, report=lines.append)
    assert values.ravel().tolist() == [0.0, 3.5, 5.0]
    assert [line.split()[0] for line in lines] == ["counting", "initializing", "done", "re-reading"]


def test_a_border_of_the_default_surrounds_the_reflections(tmp_path: Path) -> None:
    (tmp_path / "a.hkl").write_text("5 6 7 8\n")
    for default_F in (0.0, 3.5):
        table, _, _ = hkl.read(tmp_path / "a.hkl", default_F)
        assert table.shape == (3, 3, 3)
        assert table[1, 1, 1] == 8.0
        assert np.count_nonzero(table == default_F) == 26


@pytest.mark.parametrize(
    "text",
    [
        "1 2 3 4.5\n-1 0 0 6\n",
        "1 2 3 4.5\n-1 0 0 6",
        "1 2 3 4.5\r\n-1 0 0 6\r\n",
        "1 2 3 4.5\r\n-1 0 0 6\r",
        "1 2 3 4.5\r-1 0 0 6",
        "\t1\t2\t3\t4.5  \n\n  \n\v-1 \f 0 0 6",
        "# h k l F\n! a comment\n1 2 3 4.5 # strong\n  #\n-1 0 0 6 !",
        "\ufeff1 2 3 4.5\n-1 0 0 6",
        "+1.0 2. 3e0 45E-1\n-1 0 -0 .6e+1",
        "1.000000000000000000e+00 2.000000000000000000e+00 30.00000e-1 4.5\n-1 0 0e5 6000000000000000000000e-21",
    ],
)
def test_layouts_that_mean_the_same(tmp_path: Path, text: str) -> None:
    notices: list[str] = []
    with notices_to(notices.append):
        values, box, count = read(tmp_path, text)
    assert box == IndexBox(-1, 1, 0, 2, 0, 3)
    assert count == 2
    assert values[2, 2, 3] == 4.5
    assert values[0, 0, 0] == 6.0
    assert np.count_nonzero(values) == 2
    assert notices == []


def test_further_columns_are_ignored_with_one_notice(tmp_path: Path) -> None:
    notices: list[str] = []
    with notices_to(notices.append):
        values, _, _ = read(tmp_path, "0 0 1 5\n\n0 0 2 6 0.1\n0 0 3 7 0.2 free\n")
    assert values.ravel().tolist() == [5.0, 6.0, 7.0]
    path = tmp_path / "a.hkl"
    assert len(notices) == 1
    assert notices[0].endswith(f"hkl {path}: columns after the fourth are ignored (2 lines, the first is line 3)")
    with notices_to(notices.append):
        read(tmp_path, "0 0 1 5 1\n0 0 2 -6 1\n")
    assert notices[1].endswith("; 1 of the fourth are below 0, as intensities are, and F is needed")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a\.hkl: holds no reflection; a line is h k l F$"),
        ("# only a comment\n\n", "holds no reflection"),
        ("0 0 1 5\n\n0 0 2\n", r"a\.hkl, line 3: '0 0 2' has 3 columns; a reflection takes four, h k l F$"),
        ("1\n2\n3\n4\n", "line 1: '1' has 1 column"),
        ("h k l F\n", "line 1: h is 'h'; an integer is allowed"),
        ("0 0 1 5\r\n0 0 1 five\r\n", "line 2: F is 'five'; a finite number is allowed"),
        ("0 0 1 5\n0,0,1,5\n", "line 2: h is '0,0,1,5'; an integer is allowed"),
        ("0 12.5 1 5\n", r"line 1: k is '12\.5'; an integer is allowed"),
        ("0 0 1e-30 5\n", "line 1: l is '1e-30'; an integer is allowed"),
        ("0 0 1.000000000000000000001 5\n", r"line 1: l is '1\.000000000000000000001'; an integer is allowed"),
        ("0 0 1e30 5\n", "line 1: l is '1e30'; allowed are -2147483647 to 2147483647"),
        ("-2147483648 0 0 5\n", "line 1: h is '-2147483648'; allowed are"),
        ("0 0 1 nan\n", "line 1: F is 'nan'; a finite number is allowed"),
        ("0 0 1 -inf\n", "line 1: F is '-inf'"),
        ("0 0 1 1\n0 0 1 1e300\n", r"line 2: F is 1e\+300; allowed are -1e\+50 to 1e\+50$"),
        ("0 0 1 -1e51\n", r"line 1: F is -1e\+51; allowed"),
        ("0 0 1 1\n0 0 1 1e999\n", "line 2: F is '1e999'; a finite number is allowed"),
        ("0 0 nan 1\n", "line 1: l is 'nan'"),
        ("0 0 1 1e\n", "line 1: F is '1e'"),
        ("0 0 1 1e+\n", r"line 1: F is '1e\+'"),
        ("0 0 1 1.2.3\n", r"line 1: F is '1\.2\.3'"),
        ("0 0 1 1_0\n", "line 1: F is '1_0'"),
        ("0 0 1 0x10\n", "line 1: F is '0x10'"),
        ("0 0 1 1d3\n", "line 1: F is '1d3'"),
        ("0 0 - 1\n", "line 1: l is '-'"),
        ("0 0 . 1\n", r"line 1: l is '\.'"),
        ("0 0 1 1\n0 0 -2147483648 5\n", "line 2: l is '-2147483648'; allowed are"),
        ("0 0 1 1\n0 0.5 1 5\n", r"line 2: k is '0\.5'; an integer is allowed"),
        ("0 0 1 1\n0 0 1_0 5\n", "line 2: l is '1_0'; an integer is allowed"),
        ("0 0 1 1\n0\xa00 1 5\n", "line 2: h is "),
        ("0 0 1 5#\n", "line 1: F is '5#'"),
        ("1 2 3 #4\n", "line 1: F is '#4'"),
        (b"\x89HDF\r\n\x1a\n\0\0", r"line 1: h is '\\x89HDF'"),
        (b"MTZ \0\0\0\1" + bytes(100), "line 1: h is 'MTZ'"),
        (b"\0" * (BLOCK + 1), "line 1: longer than 1048576 bytes"),
        (b"0 0 1 5\n" + b"7" * (BLOCK + 1), "line 2: longer than 1048576 bytes"),
    ],
)
def test_malformed_lists(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(InputError, match=rf"^-hkl .*{message}") as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_zeros_with_absurd_exponents(tmp_path: Path) -> None:
    values, box, _ = read(tmp_path, "0e999999999 0 0 0e999999999\n0 0 0e-999999999 1\n")
    assert box == IndexBox(0, 0, 0, 0, 0, 0)
    assert values.ravel().tolist() == [1.0]


def test_a_column_of_errors_on_every_line(tmp_path: Path) -> None:
    """Plain numbers in a fifth column, beside a comment and line ends of every kind."""
    notices: list[str] = []
    with notices_to(notices.append):
        values, _, count = read(tmp_path, "0 0 1 5 0.1\r\n0 0 2 6 0.2\r\r0 0 3 7\n0 0 4 8 9 10\n")
    assert values.ravel().tolist() == [5.0, 6.0, 7.0, 8.0]
    assert count == 4
    assert "(3 lines, the first is line 1)" in notices[0]


def test_a_stray_index_is_an_error_not_a_crash(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"a\.hkl: indices h 0\.\.1000000000, k -5\.\.0, l 0\.\.1 need a table of 3\.2e"
    ):
        read(tmp_path, "0 0 0 1\n1000000000 0 1 1\n0 -5 1 2\n")


def test_a_missing_list(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"^-hkl .*a\.hkl: cannot be read: no such file or directory$"):
        hkl.read(tmp_path / "a.hkl")
    with pytest.raises(FileError, match="cannot be read: is a directory"):
        hkl.read(tmp_path)
    with pytest.raises(FileError, match="is a device, not a file"):
        hkl.read("/dev/zero")
    with pytest.raises(InputError, match="not a file name"):
        hkl.read("")


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text("0 0 1 5\n0 0 2 6\n"))
    writer.start()
    table, _, count = hkl.read(pipe)
    writer.join(10.0)
    assert inside(table).ravel().tolist() == [5.0, 6.0]
    assert count == 2


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_across_blocks(tmp_path: Path, end: str) -> None:
    line = f"7 8 9 1.5{end}"
    tail = f"0 0 0 2.5{end}-1 0 0 bad"
    for shift in range(len(line) + 2):
        comment = "#" + "x" * shift + end
        n_lines = (BLOCK - len(comment)) // len(line) + 1  # the last of these is cut by the end of the block
        with pytest.raises(InputError, match=rf"line {n_lines + 3}: F is 'bad'"):
            read(tmp_path, comment + line * n_lines + tail)
        values, _, count = read(tmp_path, comment + line * n_lines + tail.replace("bad", "4"))
        assert count == n_lines + 2
        assert (values[1, 0, 0], values[0, 0, 0], values[8, 8, 9]) == (2.5, 4.0, 1.5)


def test_a_long_list_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of which no more than 1000 reflections are kept, in place of four million."""
    monkeypatch.setattr(hkl, "_MOST_KEPT", 1000)
    lines = [f"{n % 100} {n // 100 % 100} {n // 10000} {n + 0.5}\n" for n in range(150_000)]
    values, box, count = read(tmp_path, "".join(lines) + "3 0 0 -1\n")
    assert count == 150_001
    assert box == IndexBox(0, 99, 0, 99, 0, 14)
    expected = np.arange(150_000).reshape(15, 100, 100).T + 0.5
    expected[3, 0, 0] = -1.0
    np.testing.assert_array_equal(values, expected)


def test_the_first_line_with_further_columns_may_lie_in_a_later_block(tmp_path: Path) -> None:
    notices: list[str] = []
    text = "7 8 9 1.5\n" * 200_000 + "7 8 9 1.5 x\n" * 3
    with notices_to(notices.append):
        read(tmp_path, text)
    assert "(3 lines, the first is line 200001)" in notices[0]


@pytest.mark.property
@given(st.lists(st.floats(-1e50, 1e50), min_size=1, max_size=50))
def test_numbers_are_correctly_rounded(tmp_path_factory: pytest.TempPathFactory, numbers: list[float]) -> None:
    folder = tmp_path_factory.getbasetemp()
    for form in ("r", ".3f", ".15g", ".16e", ".18e", ".25e"):
        words = [repr(number) if form == "r" else format(number, form) for number in numbers]
        assert structure_factors(folder, words) == [float(word) for word in words]


def test_digits_and_exponents_of_every_size_are_correctly_rounded(tmp_path: Path) -> None:
    random_digits = random.Random(7)
    words = []
    for digits in range(1, 40):
        for exponent in (*range(-45, 46, 3), -400, -330, -324, -308, -300):
            figures = "".join(random_digits.choice("0123456789") for _ in range(digits))
            point = random_digits.randrange(digits + 1)
            words.append(f"{random_digits.choice(('', '-', '+'))}{figures[:point]}.{figures[point:]}e{exponent}")
            words.append(f"{'0' * (digits % 5)}{figures}{'0' * (exponent % 7)}")
            words.append(f"0.{'0' * (exponent % 30)}{figures}")
    # Halves of the last place, and the edges of the fast path.
    words += ["9007199254740993", "9007199254740992", "9007199254740991e22", "9007199254740993e-22", "1e22", "1e23"]
    words += ["0.1e-21", "123456789012345678", "999999999999999999", "1000000000000000000", "18446744073709551616"]
    finite = [word for word in words if abs(float(word)) <= 1e50]
    found = structure_factors(tmp_path, finite)
    assert [(word, value) for word, value in zip(finite, found, strict=True) if value != float(word)] == []


def test_the_border_counts_for_the_memory(tmp_path: Path) -> None:
    (tmp_path / "far.hkl").write_text("1000000000 0 0 5\n0 0 0 1\n")
    with pytest.raises(InputError, match=r"far\.hkl: indices h 0\.\.1000000000, .* 9e\+09 cells, 72 GB; allowed are"):
        hkl.read(tmp_path / "far.hkl")
