"""Random sets of keywords of an experiment."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nbnumba.geometry.vectors import random_rotation

FILES = {
    "A.mat": "0.01 0.002 0.0\n0.001 0.012 0.001\n0.0 0.0 0.02\n",
    "P1.hkl": "".join(
        f"{h} {k} {l} {abs(7 * h + 3 * k + l) + 1}\n" for h in range(-4, 5) for k in range(-4, 5) for l in range(-4, 5)
    ),
    "sources.txt": "-1 0 0 1 1e-10\n-1 0.001 0 2 1.01e-10\n",
}
OF_FILES_ELSEWHERE = {"hkl_column", "hkl_dmin_A", "pdb", "dump", "expt", "expt_number", "geometry", "mask"}
# Options of a few shapes alone, or that need others beside them; their tests give them as keywords and as options.
OF_OTHER_TESTS = set(
    "crystals mosaic_file mosaic_sigmas_deg diffuse_laue diffuse_stencil diffuse_axes only_diffuse "
    "Nd Ne Nf spread spot_cutoff_photons amorphous water_layer_mm air_layer_mm ice_layer_mm detector_preset "
    "beamstop_mm psf psf_fwhm_um psf_radius psf_file psf_stage flicker flicker_pixels calibration calib_seed "
    "dead_time_ns gain "
    "dark_current readout_noise saturation dead_pixels hot_pixels badpix_seed spectrum spectrum_file spectrum_shot "
    "anomalous anomalous_file anomalous_bins phase_column spectrum_seed spectrum_shift_ev "
    "gauss_hdiv_mrad gauss_vdiv_mrad gauss_divs rate_limit beam_tilt_fast_mrad beam_tilt_slow_mrad".split()
)
_EITHER = (
    ("wavelength_A", "energy_ev"),
    ("matrix", "A_matrix"),
    ("matrix", "U_matrix"),
    ("A_matrix", "U_matrix"),
    ("A_matrix", "cell"),
    ("N", "crystal_size_mm"),
    ("fluence", "flux"),
)


def makers(rng: random.Random, folder: Path) -> dict[str, Callable[[], Any]]:
    """Return what makes a value of each keyword; file names start in a folder that holds FILES."""

    def number(low: float, high: float) -> Callable[[], float]:
        return lambda: rng.uniform(low, high)

    def whole(low: int, high: int) -> Callable[[], int]:
        return lambda: rng.randint(low, high)

    def one_of(*values: Any) -> Callable[[], Any]:
        return lambda: rng.choice(values)

    def numbers(count: int, low: float, high: float) -> Callable[[], list[float]]:
        return lambda: [rng.uniform(low, high) for _ in range(count)]

    def A_matrix() -> list[list[float]]:
        return [[0.02 * (row == column) + rng.uniform(-4e-3, 4e-3) for column in range(3)] for row in range(3)]

    switch = one_of(True, False)
    vectors = ("beam", "fdet", "sdet", "odet", "polar")
    positions = ("beam_center_fast_mm", "beam_center_slow_mm", "Xbeam_mm", "Ybeam_mm", "Xclose_mm", "Yclose_mm")
    return {
        "matrix": lambda: folder / "A.mat",
        "A_matrix": A_matrix,
        "U_matrix": lambda: random_rotation(np.random.default_rng(rng.randrange(10**6))),
        "cell": lambda: numbers(3, 30, 80)() + rng.choice([[], [90, 90, 90], numbers(3, 80, 100)()]),
        "misset_deg": lambda: rng.choice(["random", numbers(3, 0, 90)()]),
        "misset_seed": whole(1, 10**6),
        "N": one_of(3, (2, 3, 4), 1.0),
        "crystal_size_mm": one_of(1e-5, (1e-5, 2e-5, 1.5e-5)),
        "shape": one_of("square", "round", "gauss", "tophat"),
        "fudge": number(0.5, 2),
        "mosaic_spread_deg": number(0, 2),
        "mosaic_domains": whole(1, 4),
        "mosaic_seed": whole(1, 1000),
        "mosaic_model": one_of("c", "gauss", "uniform", "simtbx"),
        "diffuse_gamma_A": one_of(30, (20, 30, 40)),
        "diffuse_sigma_A": one_of(0.3, (0.2, 0.4, 0.6), 0),
        "crystal_share": number(0.1, 1),
        "lattice_spread_percent": one_of(0.5, (0.1, 0.2, 0.3), 0),
        "hkl": lambda: str(folder / "P1.hkl"),
        "default_F": number(1, 100),
        "B_factor_A2": number(0, 80),
        "interpolate": switch,
        "wavelength_A": number(0.8, 2),
        "energy_ev": number(6000, 15000),
        "fluence": number(1e20, 1e28),
        "flux": number(1e12, 2e12),
        "exposure_s": number(0.1, 1),
        "beamsize_mm": number(0.01, 0.1),
        "polarization": number(-1, 1),
        "polarized": switch,
        "dispersion_percent": number(0, 3),
        "dispsteps": whole(1, 3),
        "hdivrange_mrad": number(0, 2),
        "vdivrange_mrad": number(0, 2),
        "hdivsteps": whole(1, 3),
        "vdivsteps": whole(1, 3),
        "hdivstep_mrad": number(0.5, 1),
        "vdivstep_mrad": number(0.5, 1),
        "round_divergence": switch,
        "sources": lambda: folder / "sources.txt",
        "convention": one_of("mosflm", "denzo", "adxv", "xds", "dials"),
        "distance_mm": number(20, 200),
        "close_distance_mm": number(20, 200),
        "pixel_mm": number(0.5, 2),
        "detpixels": one_of(8, (7, 9)),
        **dict.fromkeys(positions, number(-2, 12)),
        "ORGX": number(0, 9),
        "ORGY": number(0, 9),
        "detector_rotation_deg": numbers(3, -20, 20),
        "twotheta_deg": number(-30, 30),
        "pivot": one_of("sample", "beam"),
        **dict.fromkeys((f"{name}_vector" for name in vectors), numbers(3, -1, 1)),
        "spindle_axis": numbers(3, -1, 1),
        "twotheta_axis": numbers(3, -1, 1),
        "pix0_vector_mm": numbers(3, -50, 50),
        "attenuation_depth_um": one_of(100, 333.3, "inf"),
        "thickness_um": number(50, 500),
        "thicksteps": whole(1, 3),
        "curved": switch,
        "point_pixel": switch,
        "panel": whole(0, 0),
        "roi": one_of((0, 9, 0, 9), (1, 5, 3, 6)),
        "phi_deg": number(-90, 90),
        "osc_deg": number(0, 2),
        "phistep_deg": number(0.1, 1),
        "phisteps": whole(1, 3),
        "phi_sampling": one_of("edge", "mid"),
        "oversample": whole(1, 2),
        "oversample_thick": switch,
        "oversample_polar": switch,
        "oversample_omega": switch,
        "dmin_A": number(0, 8),
        "water_um": number(0, 50),
    }


def random_keywords(seed: int, folder: Path) -> dict[str, Any]:
    """Return keywords of a small picture, with a crystal and structure factors."""
    rng = random.Random(seed)
    make = makers(rng, folder)
    keywords = {name: make[name]() for name in rng.sample(sorted(make), rng.randint(2, 14))}
    for one, other in _EITHER:
        if one in keywords and other in keywords:
            del keywords[one]
    if "U_matrix" in keywords or not {"matrix", "A_matrix", "cell"}.intersection(keywords):
        keywords.setdefault("cell", make["cell"]())
    if "hkl" not in keywords:
        keywords.setdefault("default_F", 33.3)
    if {"hkl", "B_factor_A2"} <= keywords.keys():
        keywords.pop("default_F", None)  # refused where reflections are interpolated
    if "crystal_size_mm" not in keywords:
        keywords.setdefault("N", 3)
    if all(any(name.startswith(way) for name in keywords) for way in ("hdiv", "vdiv")):
        keywords["round_divergence"] = False  # the circle may leave no direction
    if "misset_deg" in keywords:
        keywords.setdefault("misset_seed", 5)
    return {"detpixels": 8, "pixel_mm": 1.0, "oversample": 1, "semantics": rng.choice(["exact", "c"]), **keywords}
