"""A rotation series through DIALS, from images to intensities, against the truth beside it."""

from __future__ import annotations

from typing import Any

import dials_programs
import numpy as np
import pytest
from requirements import requires

from nbnumba import cli

pytestmark = [pytest.mark.slow, pytest.mark.readers, requires("DIALS")]

CELL = (40.0, 45.0, 50.0, 90.0, 90.0, 90.0)
IMAGES = 20


def factors() -> dict[tuple[int, int, int], float]:
    """Return structure factors that obey Friedel's law, to 2 Angstrom."""
    rng = np.random.default_rng(3)
    found: dict[tuple[int, int, int], float] = {}
    for h in range(-20, 21):
        for k in range(-22, 23):
            for l in range(-25, 26):
                if (h, k, l) > (0, 0, 0) and (h / 40) ** 2 + (k / 45) ** 2 + (l / 50) ** 2 < 1 / 2.0**2:
                    found[h, k, l] = found[-h, -k, -l] = float(np.sqrt(rng.exponential(1.0)) * 300.0)
    return found


@pytest.fixture(scope="module", params=["cbf", "h5"])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what DIALS finds in a series."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "P1.hkl").write_text("".join(f"{h} {k} {l} {F:.4f}\n" for (h, k, l), F in factors().items()))
    (folder / "s.toml").write_text(
        f'command = "-cell {" ".join(map(str, CELL))} -misset 10 20 30 -hkl P1.hkl -detpixels 500 -pixel 0.3 '
        "-distance 120 -N 20 -lambda 1 -nointerpolate -shape gauss_abc -spread continuous -mosaic 0.25 -fluence 1e27 "
        '-background water:8e-11 -polar 1 -oversample 2"\n'
        f'[series]\nosc_deg = 0.5\nimages = {IMAGES}\nformat = "{request.param}"\n'
    )
    out, dials = folder / "out", folder / "dials"
    assert cli.main(["series", str(folder / "s.toml"), "-o", str(out)]) == 0
    images = sorted(out.glob("series_????.cbf")) or [out / "series_master.h5"]
    dials.mkdir()
    dials_programs.process(dials, images, CELL)
    return dials_programs.found(dials, out / "series.expt")


def test_a_series_is_one_sweep_that_is_indexed_and_refined(found: dict[str, Any]) -> None:
    assert found["images"] == IMAGES
    assert found["strong"] > 1000
    assert found["indexed"] > 0.9 * found["strong"]
    assert found["determinant"] == pytest.approx(1.0)
    # The figures are what a processing program reaches from photons with noise.
    np.testing.assert_allclose(sorted(found["cell"][:3]), CELL[:3], rtol=1e-3)
    np.testing.assert_allclose(found["cell"][3:], 90.0, atol=0.05)
    assert found["misorientation_deg"] < 0.02
    np.testing.assert_allclose(*found["beam_centers_px"], atol=0.05)


def test_profile_fitted_intensities_are_squared_structure_factors(found: dict[str, Any]) -> None:
    F = factors()
    squared = np.array([F.get(tuple(hkl), 0.0) ** 2 for hkl in found["hkl"]])
    measured = np.array(found["intensity"])
    assert len(measured) > 1000
    assert np.corrcoef(squared, measured)[0, 1] > 0.999
