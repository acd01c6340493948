"""Scenes and materials of the background oracles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scenes import scene_of

from nbnumba.background.material import Material, photons_per_steradian
from nbnumba.kernels.scene import Scene

PLAIN = "-cell 78 78 38 90 90 90 -N 5 -default_F 100 -misset 0 0 0 -detpixels 32 -pixel 0.1 -distance 100 -lambda 1"


def subpixels(params: dict[str, Any]) -> int:
    """Sub-pixels along the edge of a pixel: the argument, else the object's own number."""
    return int(params["call_args"].get("oversample") or params["geometry"]["oversample"])


def oracle_scene(params: dict[str, Any], folder: Path) -> Scene:
    """Return the scene of a picture of simtbx's add_background."""
    g = params["geometry"]
    fast, slow = g["detpixels_fastslow"]
    (fast_first, fast_end), (slow_first, slow_end) = g["roi"]
    toward = -np.array(params["sources_XYZ"], dtype=np.float64)
    # C differs: simtbx divides each source's weight by nothing but the sub-pixels.
    columns = [
        toward / np.linalg.norm(toward, axis=1)[:, None],
        1e10 / np.array(params["sources_lambda_A"]),
        np.array(params["sources_intensity"]),
    ]
    sources = np.column_stack(columns)
    if (chosen := params["call_args"].get("override_source")) is not None:
        sources = sources[chosen : chosen + 1]
        sources[0, 4] = len(toward)
    return scene_of(PLAIN, folder).replace(
        n_slow=slow, n_fast=fast, slow_first=slow_first, slow_last=slow_end - 1, fast_first=fast_first,
        fast_last=fast_end - 1, oversample=subpixels(params),
        pixel_fast=g["pixel_size_mm"] * 1e-3, pixel_slow=g["pixel_size_mm"] * 1e-3,
        origin=np.array(g["pix0_vector_mm"]) * 1e-3,
        fast=g["fdet_vector"], slow=g["sdet_vector"], normal=g["odet_vector"], beam=g["beam_vector"],
        distance=g["distance_mm"] * 1e-3, close_distance=g["close_distance_mm"] * 1e-3,
        point_pixel=bool(g["point_pixel"]), layers=g["detector_thicksteps"] if g["detector_thick_mm"] else 1,
        layer_step=g["detector_thickstep_mm"] * 1e-3, mu=1e3 / g["detector_attenuation_length_mm"],
        sensor=g["detector_thick_mm"] > 0.0, polar_axis=g["polar_vector"], kahn=g["polarization"],
        polarized=not g["nopolar"], sources=sources,
    )  # fmt: skip


def oracle_material(params: dict[str, Any]) -> tuple[Material, float]:
    """Return the material of such a picture, and the photons per steradian of a unit weight."""
    g = params["geometry"]
    table = np.array(params["stol_table"])
    table[np.isnan(table[:, 1]), 1] = params["default_Fbg"]
    x, y, z = (size * 1e-3 for size in g["amorphous_sample_size_mm"])
    density, molar_mass = g["amorphous_density_gcm3"], g["amorphous_molecular_weight_Da"]
    material = Material("oracle", x, density, molar_mass, table)
    molecules = material.molecules(1.0) * y * z
    return material, photons_per_steradian(g["fluence"], molecules, 1.0, subpixels(params) ** 2)
