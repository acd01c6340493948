"""`python -m bench.detector`: background, point spread and noise beside nonBragg and noisify, and the whole chain."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import nbnumba
from nbnumba.background import tables
from nbnumba.background.material import monotone_points, padded_points
from nbnumba.experiment.scene import build_surroundings
from nbnumba.kernels.background import driver
from nbnumba.kernels.background.bodies import Scatterer
from nbnumba.kernels.types import available_threads
from nbnumba.readout import psf
from nbnumba.readout.chain import read_out
from nbnumba.readout.model import Readout
from nbnumba.render.background import surroundings_of

from .processes import timed

PIXELS = 1000  # along an edge, beside the C programs
WHOLE = 3000  # along an edge, of the whole chain
GOAL_SECONDS = 1.2  # of the whole chain, beyond the spots
_EDGE = ["-detpixels_x", str(PIXELS), "-detpixels_y", str(PIXELS), "-pixel", "0.1"]


class Spent(NamedTuple):
    """Seconds of wall time and of all threads of the processor."""

    wall: float
    cpu: float
    alone: float = 0.0  # of the calling thread, while which the others wait

    @property
    def undisturbed(self) -> float:
        """Seconds of wall time where nothing else runs: the calling thread's, and a share of the others'."""
        return self.alone + (self.cpu - self.alone) / available_threads()

    def beyond(self, other: Spent) -> Spent:
        """Return what another run did not take."""
        return Spent(self.wall - other.wall, self.cpu - other.cpu)


def fastest(found: list[Spent]) -> Spent:
    """Return the smallest times of some runs: what else the machine does only adds to them."""
    return Spent(*(min(values) for values in zip(*found, strict=True)))


def ours(work: Callable[[], Any], rounds: int) -> Spent:
    """Time a function; one more run comes first, which compiles."""
    work()
    found = []
    for _ in range(rounds):
        wall, cpu, alone = time.perf_counter(), time.process_time(), time.thread_time()
        work()
        found.append(
            Spent(time.perf_counter() - wall, time.process_time() - cpu, time.thread_time() - alone)
        )  # fmt: skip
    return fastest(found)


def theirs(words: list[str], folder: Path, rounds: int) -> Spent:
    """Time a program."""
    usages = [timed(words, folder, {}) for _ in range(rounds)]
    return fastest([Spent(usage.wall, usage.cpu) for usage in usages])


def theirs_beyond(words: list[str], more: list[str], folder: Path, rounds: int) -> Spent:
    """Time what some options of noisify add; runs without them are between those with them.

    What it takes to write the images changes by a factor of eight from minute to minute.
    """
    pairs = [(theirs([*words, "-nonoise"], folder, 1), theirs([*words, *more], folder, 1)) for _ in range(rounds)]
    return fastest([longer for _, longer in pairs]).beyond(fastest([plain for plain, _ in pairs]))


def row(name: str, mine: Spent, other: Spent | None = None) -> None:
    """Print what took how long, and how often ours fits into it: processor time of C over ours, by the threads."""
    line = f"| {name} | {mine.wall:.3f} | {mine.cpu:.3f} |"
    if other is not None:
        line += f" {other.cpu:.3f} | {other.cpu / (mine.cpu / available_threads()):.1f} |"
    else:
        line += f" {mine.undisturbed:.3f} |"
    print(line, flush=True)


def experiment(pixels: int, wavelengths: int, amorphous: str) -> nbnumba.Experiment:
    """Return a square detector in front of some materials."""
    return nbnumba.Experiment(
        cell=(78, 78, 38), N=(20, 20, 20), default_F=10, misset_deg=(10, 20, 30), detpixels=pixels, oversample=1,
        pixel_mm=100.0 / pixels, distance_mm=100, flux=1e12, exposure_s=0.1, beamsize_mm=0.05, wavelength_A=1,
        dispersion_percent=1.0 if wavelengths > 1 else 0.0, dispsteps=wavelengths, amorphous=amorphous,
    )  # fmt: skip


def beside_nonbragg(program: str, folder: Path, rounds: int) -> None:
    """Time water, at one wavelength and at some."""
    points = tables.load("water", "").points
    np.savetxt(folder / "water.stol", points)
    words = [program, "-stol", "water.stol", *_EDGE, "-distance", "100", "-lambda", "1", "-thick", "0.1", "-nonoise"]
    words += ["-nopgm", "-noprogress", "-fluence", "1e22"]
    for wavelengths in (1, 20, 100):
        more = ["-dispersion", "1", "-dispsteps", str(wavelengths)] if wavelengths > 1 else []
        runs = [theirs([*words, *more, *region], folder, rounds) for region in ([], ["-roi", "0", "0", "0", "0"])]
        scene = build_surroundings(experiment(PIXELS, wavelengths, "water:0.1"))[0]
        for semantics, curve in (("exact", monotone_points(points)), ("c", padded_points(points))):
            body, image = Scatterer(curve, 1e20, semantics == "c"), np.zeros((PIXELS, PIXELS), np.float32)

            def add(scene: Any = scene, body: Scatterer = body, image: Any = image) -> None:
                driver.add(scene, [body], image, available_threads())

            row(f"nonBragg, {semantics}, wavelengths: {wavelengths}", ours(add, rounds), runs[0].beyond(runs[1]))


def beside_noisify(program: str, folder: Path, rounds: int) -> None:
    """Time noise and point spread of a megapixel."""
    photons = (20.0 + 10.0 * np.random.default_rng(1).random((PIXELS, PIXELS))).astype(np.float32)
    photons.tofile(folder / "image.bin")
    words = [program, "-floatfile", "image.bin", *_EDGE, "-nopgm"]
    threads = available_threads()
    for name, options, readout in (
        ("photon noise", ["-calibration", "0"], Readout(dtype="uint16")),
        ("photon noise, sensitivities", ["-calibration", "0.03"], Readout(calibration=0.03, dtype="uint16")),
        ("photon and readout noise, sensitivities", ["-calibration", "0.03", "-readout", "3"],
         Readout(calibration=0.03, readout=3.0, offset=40.0, dtype="uint16")),
    ):  # fmt: skip
        noise = theirs_beyond(words, ["-noisefile", "noise.img", "-seed", "1", *options], folder, rounds)

        def draw(readout: Readout = readout) -> None:
            read_out(photons, readout, 1, threads=threads)

        row(f"noisify, {name}", ours(draw, rounds), noise)
    for kind in ("gauss", "fiber"):
        spread = theirs_beyond(words, ["-nonoise", "-psf", kind, "-psf_fwhm", "100"], folder, 1)

        def apply(kind: str = kind) -> None:
            psf.apply(photons, psf.PointSpread(kind, 1.0), threads)

        row(f"noisify, point spread {kind}", ours(apply, rounds), spread)


def whole_chain(rounds: int) -> None:
    """Time what comes after the spots of nine megapixels: two backgrounds at 100 energies, point spread, noise."""
    around = surroundings_of(experiment(WHOLE, 100, "water:0.1 air:50"))[0]
    image = np.zeros((WHOLE, WHOLE), np.float32)
    threads = available_threads()
    readout = Readout(spread=psf.PointSpread("fiber", 1.0), readout=1.5, offset=10.0, dtype="uint16")
    spread = readout.spread
    assert spread is not None

    def chain() -> None:
        image[:] = 0.0
        driver.surround(image, around, threads)
        read_out(image, readout, 1, threads=threads)

    row("two backgrounds, 100 energies", ours(lambda: driver.surround(image, around, threads), rounds))
    row("fiber", ours(lambda: psf.apply(image, spread, threads), rounds))
    counting = Readout(readout=1.5, offset=10.0, dtype="uint16")
    row("photon and readout noise", ours(lambda: read_out(image, counting, 1, threads=threads), rounds))
    row(f"whole chain, goal {GOAL_SECONDS} s of wall time", ours(chain, rounds))


def main() -> None:
    """Time everything that there is a program for, and the whole chain."""
    parser = argparse.ArgumentParser(prog="python -m bench.detector", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="runs, of which the fastest counts")
    rounds = parser.parse_args().rounds
    print(f"| {PIXELS} x {PIXELS} pixels | wall [s] | processor [s] | C program, processor [s] | C / ours |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="nbnumba-bench-") as name:
        for variable, work in (("NONBRAGG_BIN", beside_nonbragg), ("NOISIFY_BIN", beside_noisify)):
            if program := os.environ.get(variable):
                work(program, Path(name), rounds)
            else:
                print(f"| {variable} names no program |")
    print(f"\n| {WHOLE} x {WHOLE} pixels | wall [s] | processor [s] | undisturbed [s] |\n|---|---|---|---|")
    whole_chain(rounds)


if __name__ == "__main__":
    main()
