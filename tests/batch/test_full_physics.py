"""Everything at once: channels with structure factors of their own, Gaussian mosaicity, water, air and point spread."""

from __future__ import annotations

from pathlib import Path

import fabio
import h5py
import hdf5plugin  # noqa: F401  # registers the filters of the images
import numpy as np
import pytest
from small_model import pdb_text

from nbnumba import cli
from nbnumba.io.floatfile import read

pytestmark = pytest.mark.command_line

PHYSICS = (
    "-pdb m.pdb -hkl_dmin 2.5 -anomalous -anomalous_bins 6 -spectrum gauss:7120:40:6 -misset 10 20 30 -N 6 "
    "-shape gauss_argchk -mosaic_model gauss -mosaic 0.2 -mosaic_domains 25 -mosaic_seed 3 -distance 80 -detpixels 32 "
    "-pixel 2 -oversample 1 -flux 1e12 -beamsize 0.03 -background water:0.03 -background air:20 "
    "-psf fiber -psf_fwhm 1200"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.pdb").write_text(pdb_text().replace("ZN", "FE"))
    return tmp_path


def spec(**top: object) -> str:
    lines = {"command": PHYSICS, "count": 2, "seed": 7, "backend": "cpu", **top}
    text = "".join(f"{key} = {str(v).lower() if isinstance(v, bool) else repr(v)}\n" for key, v in lines.items())
    Path("s.toml").write_text(text)
    return "s.toml"


def test_one_command_and_one_spec_draw_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = "-floatfile f.bin -noisefile n.img -intfile i.img -nopgm -h5file a.h5 -seed 7"
    assert cli.main(f"{PHYSICS} -semantics exact -threads 1 {files} -noise_rng counter".split()) == 0
    assert "structure factors by energy: 6 tables for 6 energies" in capsys.readouterr().out
    photons = np.asarray(read("f.bin", (32, 32)), dtype=np.float64)
    assert cli.main(["batch", spec(noise=False, dtype="float32"), "-o", "photons"]) == 0
    with h5py.File("photons/shots_0000.h5") as file:
        np.testing.assert_array_equal(file["entry/data/data"][0], photons.astype(np.float32))
        assert len(file["entry/instrument/beam/incident_wavelength_1Dspectrum"]) == 6
    assert cli.main(["batch", spec(noise=True, dtype="int32"), "-o", "counts"]) == 0
    with h5py.File("counts/shots_0000.h5") as file:
        counts = file["entry/data/data"][:].astype(np.float64)
    assert np.abs(counts[0] - counts[1]).max() > 0.0  # each image has noise of its own
    # The point spread leaves the sum but for what crosses the edges; noise of the sum: its square root.
    for image in counts:
        assert image.sum() == pytest.approx(photons.sum(), rel=0.08)
    noise = fabio.open("n.img").data.astype(np.float64) - 40.0
    # Spread over 0.6 pixels: neighbors have more in common than in the expected photons.
    bright = photons > np.percentile(photons, 98)
    assert noise[bright].mean() < 0.95 * photons[bright].mean()


def test_water_and_air_are_added_once_whatever_the_crystal_does(folder: Path) -> None:
    dry = PHYSICS.replace("-background water:0.03 -background air:20", "")
    turned = ("-misset 10 20 30", "-misset 50 60 70")
    one = rendered(PHYSICS) - rendered(dry)
    elsewhere = rendered(PHYSICS.replace(*turned)) - rendered(dry.replace(*turned))
    assert elsewhere.min() > 0.0
    # Differences of float32 images.
    np.testing.assert_allclose(one, elsewhere, atol=1.2e-7 * rendered(PHYSICS).max())


def rendered(words: str) -> np.ndarray:
    """Return the photons of a command."""
    assert cli.main(f"{words} -semantics exact -threads 1 -floatfile g.bin -nonoise -nopgm -nodump".split()) == 0
    return np.asarray(read("g.bin", (32, 32)), dtype=np.float64)
