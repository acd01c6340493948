"""Random command lines over the golden inputs, small enough for a picture a second.

Every option that decides the picture comes up, in random order and in odd spellings. Left out is what the C
program reads in a way that is not copied (DIFFERENCES.md), so that the same lines serve to compare with it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import goldens

DUMP = "table.bin"  # an Fdump file made by `prepare_folder`
_MOST_SAMPLES = 240  # layers x sub-pixels x sources x phi steps x domains of one pixel


@dataclass(frozen=True)
class _Crystal:
    """A crystal and the geometry in which its spots fill a small detector."""

    words: tuple[tuple[str, ...], ...]
    lists: tuple[str, ...]
    longest_cell: float  # Angstrom
    wavelength: float  # Angstrom
    distance: float  # mm


_LYSO, _TRICLINIC, _GAPS = ("lyso.hkl",), ("triclinic.hkl", "gaps.hkl"), ("gaps.hkl",)
_MATRIX_AND_CELL = (("-mat", "lyso.mat"), ("-cell", "79", "78", "38.5", "90", "91.5", "90"))
_CRYSTALS = (
    _Crystal((("-mat", "lyso.mat"),), _LYSO, 78.54, 1.0, 200.0),
    _Crystal((("-mat", "lyso_9768.mat"),), _LYSO, 78.54, 0.9768, 190.0),
    _Crystal(_MATRIX_AND_CELL, _LYSO, 79.0, 1.0, 150.0),
    _Crystal((("-mat", "triclinic.mat"),), _TRICLINIC, 52.3, 1.2, 125.0),
    _Crystal((("-cell", "40.1", "45.7", "52.3", "78.2", "84.9", "97.3"),), _TRICLINIC, 52.3, 1.2, 80.0),
    _Crystal((("-cell", "30", "31", "33", "90", "90", "90"),), _GAPS, 33.0, 1.0, 88.0),
    _Crystal((("-cell", "75"),), (), 75.0, 2.0, 60.0),
    _Crystal((("-cell", "60", "70", "80", "95"),), (), 80.0, 1.5, 70.0),
    _Crystal((("-mat", "bigcell.mat"),), ("bigcell.hkl",), 200.0, 1.0, 1000.0),
)

Word = str
Group = tuple[Word, ...]


@dataclass
class _Line:
    """A command line in the making; each group of words keeps its order, the groups do not."""

    random: Random
    crystal: _Crystal
    groups: list[Group] = field(default_factory=list)
    samples_left: int = _MOST_SAMPLES

    def add(self, *words: str | float) -> None:
        self.groups.append(tuple(w if isinstance(w, str) else number(self.random, w) for w in words))

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def spelled(self, *spellings: str) -> str:
        return self.random.choice(spellings)

    def uniform(self, low: float, high: float) -> float:
        return self.random.uniform(low, high)

    def count(self, most: int) -> int:
        """Choose a number of steps and take it from the samples that are left."""
        chosen = self.random.randint(1, max(1, min(most, self.samples_left)))
        self.samples_left //= chosen
        return chosen


def number(random: Random, value: float) -> str:
    """Write a number in one of the ways people do."""
    text = f"{value:.5g}" if random.random() < 0.8 else f"{value:.7e}"
    style = random.randrange(8)
    if style == 0 and value > 0:
        return "+" + text
    if style == 1 and text.startswith("0."):
        return text[1:]
    if style == 2 and "." not in text and "e" not in text:
        return text + "."
    if style == 3:
        return text.upper()
    return text


def prepare_folder(folder: Path) -> None:
    """Copy the inputs into an existing folder and put a dump of reflections beside them."""
    goldens.copy_inputs(folder)
    rows = [line.split() for line in (folder / "gaps.hkl").read_text().splitlines()]
    indices = [tuple(int(word) for word in row[:3]) for row in rows]
    bounds = [(min(axis), max(axis)) for axis in zip(*indices, strict=True)]
    shape = [high - low + 2 for low, high in bounds]  # the last plane of each axis stays zero
    values = [0.0] * math.prod(shape)
    for (h, k, l_), row in zip(indices, rows, strict=True):
        place = ((h - bounds[0][0]) * shape[1] + k - bounds[1][0]) * shape[2] + l_ - bounds[2][0]
        values[place] = float(row[3])
    head = " ".join(f"{low} {high}" for low, high in bounds) + "\n\f"
    (folder / DUMP).write_bytes(head.encode() + struct.pack(f"<{len(values)}d", *values))


def random_command(random: Random) -> list[str]:
    """Return the words of a command line, without the program's name; run it in a prepared folder.

    No semantics is chosen in it, and noise is off.
    """
    line = _Line(random, random.choice(_CRYSTALS))
    steps: list[Callable[[_Line], None]] = [_sources, _phi, _mosaic, _sensor]
    random.shuffle(steps)
    _crystal(line)
    _detector(line)
    for step in steps:
        step(line)
    _orientation(line)
    _structure_factors(line)
    _beam(line)
    _geometry(line)
    _switches(line)
    random.shuffle(line.groups)
    words = [word for group in line.groups for word in group]
    # A last option must be one that takes no value and does not need a follower in the C program.
    return [*words, line.spelled("-nonoise", "--nonoise")]


def _crystal(line: _Line) -> None:
    line.groups.extend(line.crystal.words)
    if line.chance(0.4):
        line.add(line.spelled("-round_xtal", "-square_xtal", "-gauss_xtal", "-tophat_spots", "-binary_spots"))
    if line.chance(0.3):
        line.add("-fudge", line.uniform(0.5, 2.0))
    small = line.chance(0.25)
    if line.chance(0.7):
        line.add("-N", str(line.random.randint(0, 2) if small else line.random.randint(1, 14)))
    for axis in "abc":
        if line.chance(0.3):
            line.add(f"-N{axis}", str(line.random.randint(1, 3) if small else line.random.randint(2, 14)))
    if line.chance(0.2):
        millimeters = line.crystal.longest_cell * 1e-7 * line.uniform(0.5, 9)
        line.add(line.spelled("-samplesize", "-sample_size", "-xtalsize", "-xtal_size"), millimeters)
    for names in (("-sample_x", "-xtal_thick"), ("-sample_width", "-xtal_y"), ("-sample_z", "-xtal_height", "-heigh")):
        if line.chance(0.08):
            line.add(line.spelled(*names), line.crystal.longest_cell * 1e-7 * line.uniform(0.5, 9))


def _detector(line: _Line) -> None:
    """Pixels, their size and oversampling; the picture is at most about 1600 pixels."""
    crystal = line.crystal
    line.add(line.spelled("-lambda", "--lambda", "-wave", "-wavelength"), crystal.wavelength * line.uniform(0.8, 1.25))
    if line.chance(0.15):
        line.add("-energy", 12398.42 / (crystal.wavelength * line.uniform(0.8, 1.25)))
    pixel = crystal.distance * line.uniform(0.004, 0.016)
    source = line.random.random()
    if source < 0.1:
        line.add("-img", line.spelled("header.img", "header_close.img"))
    if source < 0.05 or source >= 0.95:
        line.add(line.spelled("-mask", "--mask"), "mask.img")
        f, s = line.random.randint(0, 90), line.random.randint(0, 90)
        line.add("-roi", str(f), str(f + line.random.randint(5, 40)), str(s), str(s + line.random.randint(5, 40)))
        pixel = 0.8
        if source < 0.05:
            line.add("-detpixels", "128")  # the mask's size, not the header's
    else:
        _pixel_counts(line, pixel)
    if source >= 0.1 or line.chance(0.5):
        line.add("-pixel", pixel)
    # Without -oversample the number of sub-pixels follows from crystal and distance and may be large.
    line.add("-oversample", str(max(1, math.isqrt(line.count(9)))))


def _pixel_counts(line: _Line, pixel: float) -> None:
    f, s = line.random.randint(18, 40), line.random.randint(18, 40)
    match line.random.randrange(3):
        case 0:
            line.add("-detpixels", str(f))
        case 1:
            line.add(line.spelled("-detpixels_x", "-detpixels_f"), str(f))
            line.add(line.spelled("-detpixels_y", "-detpixels_s"), str(s))
        case 2:
            # Pixel counts beat lengths, so these decide nothing when a header is read.
            line.add("-detsize", f * pixel)
            line.add("-detpixels_x", str(f))
            line.add("-detpixels_y", str(s))
    if line.chance(0.2):
        bounds = []
        for _ in range(2):
            low = line.random.randint(-2, 15)
            bounds += [str(low), str(line.random.choice((-1, low + line.random.randint(0, 30))))]
        line.add("-roi", *bounds)


def _orientation(line: _Line) -> None:
    if line.chance(0.3):
        line.add("-misset", *(line.uniform(-180, 180) for _ in range(3)))
    elif line.chance(0.2):
        # The C program takes the words after a -misset_seed for angles unless a -misset follows.
        line.add("-misset_seed", str(line.random.randint(1, 10**6)), "-misset", "random")


def _structure_factors(line: _Line) -> None:
    kind = line.random.random()
    default = not line.crystal.lists
    if line.crystal.lists and kind < 0.8:
        line.add("-hkl", line.random.choice(line.crystal.lists))
    elif kind < 0.92:
        line.add("-dump", DUMP)
    else:
        default = True
    if default or line.chance(0.25):
        line.add("-default_F", line.uniform(5, 100))
    if line.chance(0.25):
        line.add(line.spelled("-interpolate", "-nointerpolate"))


def _beam(line: _Line) -> None:
    if line.chance(0.3):
        line.add("-fluence", 10 ** line.uniform(18, 29))
    if line.chance(0.15):
        line.add("-flux", 10 ** line.uniform(9, 15))
    if line.chance(0.15):
        line.add("-exposure", line.uniform(0.1, 2))
    if line.chance(0.15):
        line.add("-beamsize", 10 ** line.uniform(-4, 0))
    if line.chance(0.4):
        line.add("-polar", line.uniform(-1, 1))
    if line.chance(0.12):
        line.add("-nopolar")
        if line.chance(0.4):
            line.add("-oversample_polar")
    if line.chance(0.12):
        line.add("-water", line.uniform(5, 80))
        line.add("-fluence", 10 ** line.uniform(18, 21))
    if line.chance(0.2):
        line.add("-dmin", line.uniform(2, 12))


def _sources(line: _Line) -> None:
    if line.chance(0.15):
        line.add("-sourcefile", line.spelled("spectrum.txt", "two_sources.txt", "short_source.txt"))
        line.samples_left //= 3
    if line.chance(0.2):
        h, v = line.count(4), line.count(4)
        line.samples_left //= 4  # a step width or a lone range may make more of them
        match line.random.randrange(5):
            case 0:
                line.add("-divergence", line.uniform(0.5, 20))
                line.add("-divsteps", str(max(h, v)))
            case 1:
                line.add("-hdivrange", line.uniform(1, 20))
                line.add("-vdivrange", line.uniform(1, 20))
                line.add("-hdivsteps", str(h))
                line.add("-vdivsteps", str(v))
            case 2:
                line.add("-hdivrange", "4")
                line.add("-hdivstep", "1.5")
            case 3:
                line.add("-vdivstep", line.uniform(0.5, 3))
            case 4:
                line.add("-divergence", line.uniform(0.5, 20))
        if line.chance(0.5):
            line.add(line.spelled("-square_div", "-round_div", "-square_divergence"))
    if line.chance(0.2):
        steps = line.count(4)
        line.add("-dispersion", line.uniform(0.1, 5))
        if line.chance(0.8):
            line.add("-dispsteps", str(steps))


def _phi(line: _Line) -> None:
    if line.chance(0.5):
        line.add("-phi", line.random.choice((0.0, 0.0, -1.0, 4.0, line.uniform(-180, 180))))
    if line.chance(0.6):
        return
    steps = line.count(6)
    match line.random.randrange(7):
        case 0:
            line.add("-osc", line.uniform(0.1, 3))
            line.add("-phisteps", str(steps))
        case 1:
            line.add("-osc", line.uniform(0.1, 3))
        case 2:
            line.add("-osc", "1")
            line.add("-phistep", "0.3")
        case 3:
            line.add("-phisteps", str(steps))
        case 4:
            line.add("-phistep", line.uniform(0.1, 1))
            line.add("-phisteps", str(steps))
        case 5:
            line.add("-osc", "2")
            line.add("-phi", "-1")
            line.add("-phisteps", "4")
        case 6:
            line.add("-osc", line.spelled("-1", "0"))
            line.add("-phisteps", str(steps))


def _mosaic(line: _Line) -> None:
    if line.chance(0.65):
        return
    # Without a number of domains there are ten.
    if line.samples_left >= 10 or line.chance(0.2):
        line.add(line.spelled("-mosaic", "-mosaici", "-mosaicity", "-mosaic_spread"), line.uniform(0.05, 2))
    if line.chance(0.7) or line.samples_left < 10:
        line.add(line.spelled("-mosaic_domains", "-mosaic_dom"), str(line.count(8)))
    if line.chance(0.4):
        line.add("-mosaic_seed", str(line.random.randint(0, 10**6)))


def _sensor(line: _Line) -> None:
    if line.chance(0.7):
        return
    if line.chance(0.8):
        line.add("-detector_thick", line.uniform(50, 600))
    if line.chance(0.7):
        absorption = "inf" if line.chance(0.05) else line.uniform(50, 500)
        line.add(line.spelled("-detector_abs", "-detector_absorb"), absorption)
    if line.chance(0.7):
        line.add(line.spelled("-detector_thicksteps", "-thicksteps"), str(line.count(4)))
    else:
        line.samples_left //= 2


def _geometry(line: _Line) -> None:
    d = line.crystal.distance
    if line.chance(0.9):
        line.add("-distance", d * line.uniform(0.8, 1.2))
    if line.chance(0.1):
        line.add("-close_distance", d * line.uniform(0.8, 1.2))
    half = 0.15 * d
    if line.chance(0.6):
        for name in ("-Xbeam", "-Ybeam", "-Xclose", "-Yclose"):
            if line.chance(0.3):
                line.add(name, line.uniform(0, 2 * half))
        for name in ("-ORGX", "-ORGY"):
            if line.chance(0.25):
                line.add(name, line.uniform(-10, 50))
    for axis in "xyz":
        if line.chance(0.15):
            line.add(f"-detector_rot{axis}", line.uniform(-20, 20))
    if line.chance(0.15):
        line.add("-twotheta", line.random.choice((0.0, line.uniform(-25, 25))))
    if line.chance(0.25):
        line.add("-pivot", line.spelled("beam", "sample"))
    if line.chance(0.5):
        line.add(line.spelled("-adxv", "-mosflm", "-denzo", "-xds", "-dials"))
    if line.chance(0.4):
        _vectors(line, d, half)


def _vectors(line: _Line, distance: float, half: float) -> None:
    """Add vectors near MOSFLM's axes, of any length."""
    near = {
        "-fdet_vector": (0, 0, 1),
        "-sdet_vector": (0, -1, 0),
        "-odet_vector": (1, 0, 0),
        "-beam_vector": (1, 0, 0),
        "-polar_vector": (0, 0, 1),
        "-spindle_axis": (0, 0, 1),
    }
    for name, axis in near.items():
        if line.chance(0.4):
            scale = line.random.choice((1.0, 1.0, line.uniform(0.5, 2)))
            line.add(name, *(scale * (x + line.random.choice((0.0, line.uniform(-0.05, 0.05)))) for x in axis))
    if line.chance(0.15):
        # The C program reads an angle from this option too, until a -twotheta follows.
        line.add("-twotheta_axis", 0.0, 1.0, line.uniform(-0.1, 0.1), "-twotheta", line.uniform(-20, 20))
    if line.chance(0.4):
        corner = (distance, half * line.uniform(0.2, 1), -half * line.uniform(0.2, 1))
        if line.chance(0.5):
            line.add("-pix0_vector_mm", *corner)
        else:
            line.add("-pix0_vector", *(x / 1000 for x in corner))


def _switches(line: _Line) -> None:
    for name in ("-oversample_thick", "-oversample_polar", "-oversample_omega"):
        if line.chance(0.1):
            line.add(name)
    if line.chance(0.08):
        line.add("-point_pixel")
    if line.chance(0.08):
        line.add(line.spelled("-curved_det", "-curved_detector"))
    if line.chance(0.1):
        line.add(line.spelled("-noprogress", "-progress"))
