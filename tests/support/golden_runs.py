"""Runs a golden command line and compares everything it wrote with what the C program wrote."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from agreement import judge_counts
from goldens import Golden, copy_inputs
from numpy.typing import NDArray

from nbnumba import cli
from nbnumba.experiment.model import Experiment
from nbnumba.experiment.resolve import resolve
from nbnumba.parameters.parser import parse

# %g prints six digits: two numbers that differ in the last one by rounding differ by 1e-5 at most;
# the rest is for numbers that are worked out from an image that may itself differ by 2.5e-7.
REPORT_RELATIVE = 2e-5

_NUMBER = re.compile(r"(?<![A-Za-z_])[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?")


@dataclass(frozen=True)
class Written:
    """What one run wrote; images are (slow, fast)."""

    status: int
    report: str  # standard output
    notices: str  # standard error
    float_image: NDArray[np.float32]
    int_header: bytes
    int_image: NDArray[np.uint16]
    pgm_header: bytes
    pgm_image: NDArray[np.uint8]
    noise_header: bytes | None
    noise_image: NDArray[np.uint16] | None


def run(words: list[str], folder: Path) -> tuple[int, str, str]:
    """Run a command line in a folder, in this process; return exit status, standard output and error."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = cli.main(words)
    return status, out.getvalue(), err.getvalue()


def run_golden(golden: Golden, folder: Path, *more_words: str) -> Written:
    """Run a golden command line, and more words, in an empty folder that receives the inputs."""
    copy_inputs(folder)
    status, report, notices = run([*golden.words, *more_words], folder)
    if status != 0:
        raise AssertionError(f"{golden.name}: exit status {status}: {notices}")
    shape = golden.float_image.shape
    int_header, int_image = _split((folder / "int.img").read_bytes(), "<u2", shape)
    pgm_header, pgm_image = _split((folder / "image.pgm").read_bytes(), "u1", shape)
    noise = folder / "noise.img"
    noise_header, noise_image = _split(noise.read_bytes(), "<u2", shape) if noise.exists() else (None, None)
    return Written(
        status=status,
        report=report,
        notices=notices,
        float_image=np.fromfile(folder / "float.bin", "<f4").reshape(shape),
        int_header=int_header,
        int_image=int_image,
        pgm_header=pgm_header,
        pgm_image=pgm_image,
        noise_header=noise_header,
        noise_image=noise_image,
    )


def draw_noise(golden: Golden, folder: Path) -> tuple[bytes, NDArray[np.uint16]]:
    """Draw noise on the golden float image as its command line says; return header and pixels of the result."""
    copy_inputs(folder)
    golden.float_image.tofile(folder / "float.bin")
    status, _, notices = run(["noise", "float.bin", *golden.words], folder)
    if status != 0:
        raise AssertionError(f"{golden.name}: exit status {status}: {notices}")
    return _split((folder / "noise.img").read_bytes(), "<u2", golden.float_image.shape)


def _split(raw: bytes, dtype: str, shape: tuple[int, ...]) -> tuple[bytes, NDArray]:
    """Split a file into its header and the pixels that end it."""
    start = len(raw) - int(np.prod(shape)) * np.dtype(dtype).itemsize
    return raw[:start], np.frombuffer(raw, dtype, offset=start).reshape(shape)


def pixels_left_out(golden: Golden, folder: Path) -> NDArray[np.bool_] | None:
    """Return the pixels that no picture of C is compared at, or None when all are.

    Of a rotation image one of whose phi steps is exactly 0 this is the first pixel that C evaluates
    (DIFFERENCES.md, row phi0). The folder holds the inputs.
    """
    with contextlib.chdir(folder):
        experiment = resolve(parse(list(golden.words)).settings)
    angles = experiment.goniometer.angles
    if len(angles) < 2 or not np.any(angles == 0.0):
        return None
    left_out = np.zeros(golden.float_image.shape, bool)
    left_out[first_evaluated_pixel(experiment)] = True
    return left_out


def first_evaluated_pixel(experiment: Experiment) -> tuple[int, int]:
    """Return (slow, fast) of the first rendered pixel with a sample past dmin, in raster order."""
    sampling, mask = experiment.sampling, experiment.detector.panels[0].mask
    fast_first, fast_last, slow_first, slow_last = sampling.roi
    for slow in range(slow_first, slow_last + 1):
        for fast in range(fast_first, fast_last + 1):
            masked = mask is not None and not mask[slow, fast]
            if not masked and (sampling.dmin <= 0.0 or _largest_spacing(experiment, slow, fast) >= sampling.dmin):
                return slow, fast
    raise ValueError("no pixel is rendered")


def _largest_spacing(experiment: Experiment, slow: int, fast: int) -> float:
    """Return the largest d [m] of all samples of a pixel of a flat detector."""
    if experiment.detector.curved:
        raise NotImplementedError("-curved_det with -dmin")
    panel = experiment.detector.panels[0]
    n = experiment.sampling.oversample
    offsets = (np.arange(n) + 0.5) / n
    s, f, t = np.meshgrid(slow + offsets, fast + offsets, np.arange(experiment.detector.sensor.layers), indexing="ij")
    position = (
        panel.origin
        + panel.pixel_size * (s[..., None] * panel.slow + f[..., None] * panel.fast)
        + experiment.detector.sensor.layer_step * t[..., None] * panel.normal
    ).reshape(-1, 1, 3)
    diffracted = position / np.linalg.norm(position, axis=-1, keepdims=True)
    source = experiment.beam.sources
    incident = -source.directions
    q = (diffracted - incident) / source.wavelengths[:, None]
    with np.errstate(divide="ignore"):
        return float(np.max(1.0 / np.linalg.norm(q, axis=-1)))


def report_differences(golden: str, ours: str) -> list[str]:
    """Compare two reports line by line: text exactly, numbers to the digits that are printed."""
    golden_lines, our_lines = golden.splitlines(), ours.splitlines()
    differences = []
    for number, (a, b) in enumerate(zip(golden_lines, our_lines, strict=False), start=1):
        if not _same_line(a, b):
            differences.append(f"line {number}: golden {a!r}, ours {b!r}")
    if len(golden_lines) != len(our_lines):
        differences.append(f"golden has {len(golden_lines)} lines, ours {len(our_lines)}")
    return differences


def _same_line(golden: str, ours: str) -> bool:
    if golden == ours:
        return True
    if _NUMBER.split(golden) != _NUMBER.split(ours):
        return False
    numbers = zip(_NUMBER.findall(golden), _NUMBER.findall(ours), strict=True)
    return all(a == b or abs(float(a) - float(b)) <= REPORT_RELATIVE * abs(float(a)) for a, b in numbers)


def file_differences(golden: Golden, ours: Written) -> list[str]:
    """Compare integer and PGM images and their headers."""
    differences = []
    if _readable_header(golden.int_header) != ours.int_header:
        differences.append(f"header of the integer image: golden {golden.int_header!r}, ours {ours.int_header!r}")
    if why := judge_counts(golden.int_image, ours.int_image):
        differences.append(f"integer image: {why}")
    if report_differences(golden.pgm_header.decode(), ours.pgm_header.decode()):
        differences.append(f"header of the PGM image: golden {golden.pgm_header!r}, ours {ours.pgm_header!r}")
    if why := judge_counts(golden.pgm_image, ours.pgm_image):
        differences.append(f"PGM image: {why}")
    return differences


def _readable_header(header: bytes) -> bytes:
    """Return an SMV header as it should be written: 1024 bytes where its text needs more than 512."""
    if len(header) <= 512:
        return header
    # C differs: it says 512 and runs the text into the pixels.
    return header.replace(b"HEADER_BYTES=512;", b"HEADER_BYTES=1024;").ljust(1024)
