"""The search for the interpolation latch, which passes over strips whose middle is far from the edge of the table."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.random import Generator
from scenes import scene_of

from nbnumba.kernels.cpu import kernel as cpu
from nbnumba.kernels.cpu.driver import _Work
from nbnumba.kernels.scene import NEVER, Scene


def plain_search(scene: Scene) -> int:
    """Ask all samples of a scene; return the first in C's order that is out of range."""
    sizes = (scene.h_min, scene.nh), (scene.k_min, scene.nk), (scene.l_min, scene.nl)
    oversample, step = scene.oversample, 1.0 / scene.oversample
    slow, fast = np.mgrid[scene.slow_first : scene.slow_last + 1, scene.fast_first : scene.fast_last + 1]
    pixel = slow * scene.n_fast + fast
    wanted = scene.mask[slow, fast] != 0 if len(scene.mask) else np.ones(pixel.shape, dtype=bool)
    found, sample = NEVER, 0
    for layer in range(scene.layers):
        for sub in range(oversample**2):
            along_slow = (slow + (sub // oversample + 0.5) * step) * scene.pixel_slow
            along_fast = (fast + (sub % oversample + 0.5) * step) * scene.pixel_fast
            place = along_fast[..., None] * scene.fast + along_slow[..., None] * scene.slow
            place = place + layer * scene.layer_step * scene.normal + scene.origin
            direction = place / np.linalg.norm(place, axis=-1, keepdims=True)
            for source in scene.sources:
                q = (direction - source[:3]) * source[3]
                for cell in scene.orientations.reshape(-1, 3, 3):
                    indices = np.moveaxis(q @ cell.T, -1, 0)
                    trips = np.zeros(pixel.shape, dtype=bool)
                    for h, (h_min, size) in zip(indices, sizes, strict=True):
                        trips |= (h - h_min + 3.0 > size - 2.0) | (h - 2.0 < h_min)  # nanoBragg.c:2934
                    trips &= wanted
                    if trips.any():
                        found = min(found, int(pixel[trips].min()) * scene.samples_per_pixel + sample)
                    sample += 1
    return found


def random_line(random: Generator) -> str:
    """Return a command line of a panel of some strips a row."""
    pixel, angles = random.choice([0.1, 0.4]), random.uniform(-30.0, 30.0, 5)
    words = ["-mat triclinic.mat -hkl triclinic.hkl -interpolate -N 5 -lambda 1.2"]
    words.append(f"-detpixels_x 300 -detpixels_y 30 -pixel {pixel} -distance 100")
    words.append("-misset {:g} {:g} {:g} -detector_rotx {:g} -detector_roty {:g}".format(*angles))
    # The beam meets the first rows, most often, so that what trips comes late.
    words.append(f"-Xbeam {pixel * random.uniform(-20.0, 20.0):g} -Ybeam {pixel * random.uniform(0.0, 300.0):g}")
    words.append(f"-oversample {random.integers(1, 3)}")
    chosen = (
        "-divergence 4 -divsteps 2 -dispersion 5 -dispsteps 3",
        "-phi 0 -osc 30 -phisteps 4",
        "-mosaic 3 -mosaic_domains 4",
        "-detector_thick 20000 -detector_abs 500 -detector_thicksteps 3",
        "-roi 20 280 2 27",
    )
    return " ".join(words + [more for more in chosen if random.random() < 0.3])


def search(scene: Scene) -> int:
    """Return what the compiled search finds."""
    work = _Work([scene], cpu.search, None)
    work.run(1, None)
    return work.found


def test_strips_are_passed_over_only_where_nothing_trips(tmp_path: Path) -> None:
    """At random, and at distances where the first such sample is somewhere inside the panel."""
    random = np.random.default_rng(20)
    pixels = []
    for _ in range(20):
        scene = scene_of(random_line(random), tmp_path)
        mask = (random.random((scene.n_slow, scene.n_fast)) < 0.9).astype(np.uint8) if random.random() < 0.3 else None
        scene = scene if mask is None else scene.replace(mask=mask)
        near, far = 0.1, 100.0
        while far / near > 1.01:
            middle = math.sqrt(near * far)
            trips = search(scene.replace(origin=scene.origin * middle)) != NEVER
            near, far = (middle, far) if trips else (near, middle)
        for share in (1.01, 1.0, 0.97, 0.9, 0.8, 0.6):
            closer = scene.replace(origin=scene.origin * near * share)
            first = plain_search(closer)
            assert search(closer) == first
            pixels.append(-1 if first == NEVER else first // closer.samples_per_pixel)
    assert len(set(pixels)) > 30
    assert np.count_nonzero(np.array(pixels) > 700) > 10  # behind rows of strips that were passed over
