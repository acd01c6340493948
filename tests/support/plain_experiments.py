"""Experiments of every convention for tests of files, and where their pixels lie."""

from __future__ import annotations

import dataclasses

import numpy as np

from nbnumba.experiment.model import Experiment
from nbnumba.experiment.resolve import resolve
from nbnumba.geometry.panel import PanelGeometry
from nbnumba.geometry.vectors import cross, unit
from nbnumba.parameters.parser import parse

_CRYSTAL = "-cell 62 73 84 81 93 107 -default_F 10 -N 5 -misset 11 22 33 -mosaic 0.2 -mosaic_domains 3 -dump none.bin "
_SIZE = "-detpixels_f 12 -detpixels_s 9 -pixel 0.172 -distance 123.4567891 -lambda 0.9768132 "

CENTERS = {
    "mosflm": "-mosflm -Xbeam 0.913 -Ybeam 1.217",
    "mosflm default": "",
    "adxv": "-adxv -Xbeam 1.217 -Ybeam 0.913",
    "denzo": "-denzo -Xbeam 0.913 -Ybeam 1.217",
    "xds": "-xds -ORGX 5.3 -ORGY 3.9",
    "dials": "-dials -Xbeam 1.2 -Ybeam 0.8",
    "custom": "-fdet_vector 0 1 0 -sdet_vector 1 0 0 -odet_vector 0 0 -1 -beam_vector 0 0 -1 -polar_vector 0 1 0 "
    "-Xbeam 0.7 -Ybeam 0.6",
    "off the detector": "-mosflm -Xbeam -17.3 -Ybeam 251.9",
    "sample pivot": "-mosflm -Xbeam 0.913 -Ybeam 1.217 -pivot sample",
}
TILTS = {
    "rotated": "-detector_rotx 11 -detector_roty -7 -detector_rotz 19",
    "twotheta": "-twotheta 23.5",
    "both": "-detector_rotx 5 -detector_roty 17 -detector_rotz -31 -twotheta -12 -pivot sample",
    "both about the beam": "-detector_rotx 5 -detector_roty 17 -detector_rotz -31 -twotheta -12 -pivot beam",
}


def experiment(words: str) -> Experiment:
    """Return a small experiment with a crystal, of semantics exact unless the words say otherwise."""
    size = _SIZE.partition("-lambda")[0] if "-spectrum" in words else _SIZE  # a spectrum has its own wavelength
    line = f"-semantics exact {_CRYSTAL} {size} {words}"
    return resolve(parse(line.split()).settings)


def some_counts(record: Experiment, seed: int = 1) -> np.ndarray:
    """Return pixels of all sizes."""
    panel = record.detector.panels[0]
    generator = np.random.default_rng(seed)
    powers = generator.uniform(0.0, 31.0, (panel.n_slow, panel.n_fast))
    counts = (2.0**powers).astype(np.int64) - 1
    counts[0, :3] = 0, 2**31 - 3, 7
    return np.minimum(counts, 2**31 - 3).astype(np.int32)


def points(record: Experiment, panel: int = 0) -> list[tuple[int, float, float]]:
    """Return corners, the center and an odd place of a panel as (panel, fast, slow) [pixels]."""
    n_fast, n_slow = record.detector.panels[panel].n_fast, record.detector.panels[panel].n_slow
    places = [(0.0, 0.0), (n_fast, 0.0), (0.0, n_slow), (n_fast, n_slow), (n_fast / 2, n_slow / 2), (2.3, 5.7)]
    return [(panel, float(fast), float(slow)) for fast, slow in places]


def lab_position(record: Experiment, panel: int, fast: float, slow: float) -> np.ndarray:
    """Return where a point of a panel lies in our laboratory frame [m]."""
    place = record.detector.panels[panel]
    return place.origin + place.pixel_sizes[0] * fast * place.fast + place.pixel_sizes[1] * slow * place.slow


def two_panels() -> Experiment:
    """Return an experiment whose detector has two tilted panels."""
    record = experiment("-xds -phi 3 -osc 1")
    turned = []
    for sign in (-1.0, 1.0):
        fast = unit(np.array([1.0, 0.1, 0.3 * sign]))
        slow = unit(cross(unit(np.array([-0.2 * sign, 0.1, 1.0])), fast))
        origin = (0.011 * sign, -0.004, 0.12 + 0.01 * sign)
        turned.append(PanelGeometry(12, 9, (1.72e-4, 1.72e-4), origin, fast, slow))
    panels = tuple(
        dataclasses.replace(
            record.detector.panels[0],
            origin=np.array(place.origin),
            fast=np.array(place.fast),
            slow=np.array(place.slow),
            normal=cross(np.array(place.fast), np.array(place.slow)),
        )
        for place in turned
    )
    return dataclasses.replace(record, detector=dataclasses.replace(record.detector, panels=panels))
