"""Renders the pictures of the gallery, and writes its page."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import nbnumba
import nbnumba.example

CELL: dict[str, Any] = {"cell": (78, 78, 38, 90, 90, 90), "misset_deg": (12, 34, 56)}


@dataclass(frozen=True)
class Entry:
    """One picture: its file's name, its title, what is said of it, and the keywords that render it."""

    name: str
    title: str
    text: str
    keywords: dict[str, Any]
    noise: bool = False
    combine: Callable[[nbnumba.Experiment], Any] | None = None


ENTRIES = (
    Entry(
        "still",
        "A still of a small crystal",
        "Fringes between the spots: a crystal of 16 cells along each axis, 25 mosaic domains.",
        {"matrix": "A.mat", "hkl": "P1.hkl", "N": 16, "mosaic_spread_deg": 0.3, "mosaic_domains": 25,
         "distance_mm": 430, "pixel_mm": 0.3, "detpixels": 512, "oversample": 2, "fluence": 1e26},
    ),
    Entry(
        "rotation",
        "A rotation image",
        "One and a half degrees of a crystal of 3000 cells, with water, air and powder rings of ice, a beamstop, the "
        "point spread of fiber optics and photon noise. Mosaicity and bandwidth in closed form.",
        {"matrix": "A.mat", "hkl": "P1.hkl", "N": 3000, "shape": "gauss_abc", "spread": "continuous",
         "mosaic_spread_deg": 0.4, "dispersion_percent": 0.2, "dispsteps": 3, "osc_deg": 1.5, "phisteps": 30,
         "distance_mm": 430, "pixel_mm": 0.15, "detpixels": 1024, "oversample": 1, "flux": 2e12, "exposure_s": 0.3,
         "beamsize_mm": 0.05, "amorphous": "water:0.02 air:1 icerings:0.002", "beamstop_mm": 3, "psf": "fiber",
         "spot_cutoff_photons": 0.01},
        noise=True,
    ),
    Entry(
        "pink",
        "A pink beam",
        "A bandwidth of 5 % streaks the spots along the radius.",
        {"matrix": "A.mat", "hkl": "P1.hkl", "N": 40, "shape": "gauss_abc", "mosaic_spread_deg": 0.1,
         "spread": "continuous", "dispersion_percent": 5, "dispsteps": 60, "distance_mm": 430, "pixel_mm": 0.3,
         "detpixels": 512, "oversample": 1, "fluence": 1e24, "spot_cutoff_photons": 1e-3},
    ),
    Entry(
        "powder",
        "A powder",
        "Twenty thousand orientations of a small cubic cell, each of them one mosaic domain.",
        {"cell": (12, 12, 12, 90, 90, 90), "default_F": 50, "N": 15, "shape": "gauss_abc", "mosaic_spread_deg": 90,
         "mosaic_domains": 20000, "distance_mm": 120, "pixel_mm": 0.4, "detpixels": 400, "oversample": 1,
         "fluence": 1e24, "spot_cutoff_photons": 1e-3},
    ),
    Entry(
        "tilted",
        "A tilted detector",
        "The detector swung out by 25 degrees around the sample; the rings are circles of equal resolution.",
        {**CELL, "default_F": 100, "N": 30, "shape": "gauss_abc", "mosaic_spread_deg": 0.3, "mosaic_domains": 50,
         "twotheta_deg": 25, "distance_mm": 150, "pixel_mm": 0.3, "detpixels": 512, "oversample": 1, "fluence": 1e24},
    ),
    Entry(
        "cspad",
        "A tilted CS-PAD",
        "A shot of an X-ray laser on 32 sensors in four quadrants, turned by 15 degrees about the vertical. Every "
        "sensor is drawn where it stands. `cspad.geom` is a CrystFEL geometry file.",
        {"geometry": "cspad.geom", **CELL, "default_F": 3000, "N": 20, "shape": "gauss_abc", "mosaic_spread_deg": 0.4,
         "spread": "continuous", "wavelength_A": 1.3, "dispersion_percent": 1.0, "dispsteps": 3, "flux": 1e12, "exposure_s": 1,
         "beamsize_mm": 0.003, "amorphous": "water:0.002", "oversample": 1, "spot_cutoff_photons": 1e-2},
    ),
)  # fmt: skip


def cspad_geom(distance_m: float = 0.13, turned_deg: float = 15.0) -> str:
    """Return a CrystFEL geometry of 32 sensors: four quadrants of 2 x 2 blocks, each a pair of sensors."""
    pixel, width, height, pair, quadrant = 109.92e-6, 388, 185, 420.0, 850.0
    cos, sin = math.cos(math.radians(turned_deg)), math.sin(math.radians(turned_deg))
    lines = [
        "photon_energy = 9537",
        f"clen = {distance_m}",
        f"res = {1.0 / pixel:.6f}",
        "adu_per_photon = 1",
        "data = /entry/data/data",
        "dim0 = %",
        "dim1 = ss",
        "dim2 = fs",
    ]
    number = 0
    for quarter in range(4):
        for block in range(4):
            for half in range(2):
                # In the frame of quadrant 0, to the upper right of the beam; each block is a quarter turn further.
                middle = np.array([-20.0, 40.0]) + (quadrant / 4.0 + pair / 2.0 * np.array([block % 2, block // 2]) * 2)
                fast, slow = _turned(np.array([1.0, 0.0]), block), _turned(np.array([0.0, 1.0]), block)
                corner = middle - fast * width / 2.0 + slow * (5.0 if half else -5.0 - height)
                corner, fast, slow = (_turned(v, quarter) for v in (corner, fast, slow))
                name = f"q{quarter}s{2 * block + half}"
                lines += [
                    f"{name}/min_fs = 0",
                    f"{name}/max_fs = {width - 1}",
                    f"{name}/min_ss = {number * height}",
                    f"{name}/max_ss = {(number + 1) * height - 1}",
                    f"{name}/corner_x = {corner[0] * cos:.4f}",
                    f"{name}/corner_y = {corner[1]:.4f}",
                    f"{name}/coffset = {corner[0] * sin * pixel:.9f}",
                    *(
                        f"{name}/{axis} = {v[0] * cos:+.9f}x {v[1]:+.9f}y {v[0] * sin:+.9f}z"
                        for axis, v in (("fs", fast), ("ss", slow))
                    ),
                ]
                number += 1
    return "\n".join(lines) + "\n"


def _turned(v: Any, quarters: int) -> Any:
    for _ in range(quarters % 4):
        v = np.array([-v[1], v[0]])
    return v


def write(folder: Path) -> None:
    """Render what is not there yet, and write gallery.md."""
    lines = ["# Gallery", "", "Every picture was rendered while these pages were made, by the code below it."]
    with tempfile.TemporaryDirectory() as inputs:
        for name in nbnumba.example.INPUT_FILES:
            shutil.copy(Path(nbnumba.example.__file__).parent / name, inputs)
        (Path(inputs) / "cspad.geom").write_text(cspad_geom())
        for entry in ENTRIES:
            picture = folder / f"{entry.name}.png"
            if not picture.exists():
                render(entry, Path(inputs), picture)
            lines += [
                "",
                f"## {entry.title}",
                "",
                entry.text,
                "",
                f"![{entry.title}]({picture.name})",
                "",
                *_code(entry),
            ]
    (folder / "gallery.md").write_text("\n".join(lines) + "\n", "utf-8")


def render(entry: Entry, inputs: Path, picture: Path) -> None:
    """Render one entry into a PNG file."""
    keywords = dict(entry.keywords)
    for key in {"matrix", "hkl", "geometry"}.intersection(keywords):
        keywords[key] = str(inputs / keywords[key])
    image = nbnumba.simulate(nbnumba.Experiment(**keywords))
    if not entry.noise:
        image.save(picture, annotate=True)
        return
    from nbnumba.io.png import write_png

    write_png(picture, np.asarray(image.with_noise(seed=1), dtype=np.float32))


def _code(entry: Entry) -> list[str]:
    pairs = [f"    {key}={value!r}," for key, value in entry.keywords.items()]
    finish = "counts = image.with_noise(seed=1)" if entry.noise else f'image.save("{entry.name}.png", annotate=True)'
    body = [
        "import nbnumba",
        "",
        "experiment = nbnumba.Experiment(",
        *pairs,
        ")",
        "image = nbnumba.simulate(experiment)",
    ]
    return ["```python", *body, finish, "```"]
