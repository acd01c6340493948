"""Point spread: C's routine against its own images, ours against closed forms."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import oracles
import pytest
from requirements import requires
from scipy.special import erf

from nbnumba.errors import InputError
from nbnumba.readout import as_c, psf
from nbnumba.readout.chain import read_out
from nbnumba.readout.model import Readout
from nbnumba.readout.psf import PointSpread


@requires("oracles")
@pytest.mark.parametrize("name", [n for n in oracles.names("psf") if n != "default_call_counts"])
def test_the_routine_of_c_draws_the_images_of_simtbx(name: str) -> None:
    params, arrays = oracles.load("psf", name)
    kind, radius = params["psf_type"].lower(), params["psf_radius"]
    image, _ = as_c.spread(arrays["image_in"], kind, params["fwhm_pixels"], radius)
    # Rounding: the functions of the C library may differ in the last digit.
    np.testing.assert_allclose(image, arrays["image_out"], atol=2e-15 * arrays["image_out"].max())


def delta(edge: int = 41) -> np.ndarray:
    image = np.zeros((edge, edge))
    image[edge // 2, edge // 2] = 1000.0
    return image


@pytest.mark.parametrize(("kind", "exponent"), [("gauss", 1.5), ("fiber", 1.5), ("moffat", 1.5), ("moffat", 2.5)])
def test_a_point_keeps_all_but_the_stated_tail(kind: str, exponent: float) -> None:
    spread = psf.apply(delta(), PointSpread(kind, 1.5, exponent, radius=12))
    assert spread.image.sum() == pytest.approx(1000.0 * (1.0 - spread.beyond), rel=1e-12)  # rounding of transforms
    assert spread.left == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(spread.image, spread.image.T, atol=1e-12)


def test_kernels_are_integrals_of_their_densities() -> None:
    from scipy.integrate import dblquad

    for exponent in (1.2, 1.5, 3.0):
        alpha = psf.moffat_alpha(1.3, exponent)
        part = psf.quarter(PointSpread("moffat", 1.3, exponent), 20)

        def density(y: float, x: float, b: float = exponent, a: float = alpha) -> float:
            return (b - 1.0) / (math.pi * a * a) * (1.0 + (x * x + y * y) / (a * a)) ** -b

        for row, column in ((0, 0), (1, 0), (2, 5), (20, 20)):
            whole, _ = dblquad(density, column - 0.5, column + 0.5, row - 0.5, row + 0.5, epsabs=1e-13, epsrel=1e-11)
            assert part[row, column] == pytest.approx(whole, rel=1e-9)  # of the quadrature


def test_the_fiber_is_a_moffat_function() -> None:
    fiber = psf.quarter(PointSpread("fiber", 0.6), 400)
    moffat = psf.quarter(PointSpread("moffat", 0.6, 1.5), 400)
    np.testing.assert_allclose(fiber, moffat, rtol=1e-9)  # of the atan, which cancel up to 12 pixels away


@pytest.mark.parametrize("kind", ["gauss", "fiber"])
def test_the_middle_of_the_kernel_is_that_of_c(kind: str) -> None:
    ours = psf.apply(delta(), PointSpread(kind, 1.5, radius=6)).image[17:24, 17:24]
    # C adds what lies beyond the kernel to every pixel alike.
    theirs, lost = as_c.spread(delta(), kind, 1.5, 6)
    np.testing.assert_allclose(ours, theirs[17:24, 17:24] - lost / 41**2, atol=1e-9)


@pytest.mark.parametrize(
    "spread", [PointSpread("gauss", 2.0), PointSpread("fiber", 0.7), PointSpread("moffat", 2.0, 3.0)]
)
def test_linear_and_the_same_as_the_sum_over_the_kernel(spread: PointSpread) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.poisson(3.0, (30, 47)).astype(float), rng.exponential(1e5, (30, 47)) ** 2
    whole = psf.apply(a + b, spread).image
    apart = psf.apply(a, spread).image + psf.apply(b, spread).image
    np.testing.assert_allclose(whole, apart, atol=1e-14 * whole.max())  # rounding of transforms
    kernel = psf.full_kernel(spread, 47)
    half = kernel.shape[0] // 2
    padded = np.pad(a + b, half)
    summed = np.zeros(a.shape)
    for (row, column), part in np.ndenumerate(kernel):
        summed += part * padded[row : row + 30, column : column + 47][:30, :47]
    np.testing.assert_allclose(whole, summed, atol=1e-14 * whole.max())


def test_the_default_radius_leaves_a_thousandth_or_the_longer_edge() -> None:
    spread = PointSpread("fiber", 0.8)
    assert psf.apply(delta(801), spread).beyond < 1e-3
    assert psf.radius_of(spread, 100) == 100
    assert psf.radius_of(PointSpread("moffat", 0.8, 1.01), 100) == 100


def test_photons_that_leave_the_image_are_counted() -> None:
    image = np.zeros((20, 20))
    image[0, 10] = 100.0
    spread = psf.apply(image, PointSpread("gauss", 3.0))
    # Half of the rows of the kernel lie beside the image, but for the middle one.
    middle = math.erf(math.sqrt(math.log(2.0)) / 3.0)
    assert spread.left == pytest.approx(50.0 * (1.0 - middle), rel=1e-6)  # the kernel ends at 1e-9
    assert spread.image[19, :].sum() == 0.0  # C puts a part of an edge's photons into another row


def test_kernel_file(tmp_path: Path) -> None:
    file = tmp_path / "kernel.txt"
    file.write_text("# cross\n0 .1 0\n.1 .5 .2\n0 .1 0\n")
    image = np.zeros((5, 6))
    image[2, 3] = 10.0
    spread = psf.apply(image, PointSpread("file", kernel=psf.read_kernel(str(file))))
    np.testing.assert_allclose(spread.image[1:4, 2:5], [[0, 1, 0], [1, 5, 2], [0, 1, 0]], atol=1e-12)
    assert spread.beyond == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "holds nothing"), ("1 2\n3 4\n", "holds 2 x 2"), ("0 1 0\n1 1\n", "2 numbers"), ("x\n", "not numbers"),
     ("-1\n", "0 and more"), ("2\n", "the sum is 2"), ("nan\n", "finite")],
)  # fmt: skip
def test_bad_kernel_files(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "kernel.txt"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        psf.read_kernel(str(file))


def test_charge_sharing_counts_what_single_photons_are_counted() -> None:
    random = np.random.default_rng(4)
    x, y = random.random((2, 400_000)) - 0.5
    for fwhm, threshold in ((0.25, 0.5), (0.3, 0.7), (0.3, 0.3)):
        kernel = psf.full_kernel(psf.parse(f"charge:{threshold}", fwhm, "-psf"), 100)
        scale = 2.0 * math.sqrt(math.log(2.0)) / fwhm
        reach = kernel.shape[0] // 2
        shares = [
            [
                0.5 * (erf(scale * (at + 0.5 - place)) - erf(scale * (at - 0.5 - place)))
                for at in range(-reach, reach + 1)
            ]
            for place in (y, x)
        ]
        counted = [[np.mean(down * right > threshold) for right in shares[1]] for down in shares[0]]
        # Five standard errors of so many photons.
        np.testing.assert_allclose(kernel, counted, atol=5.0 * 0.5 / math.sqrt(x.size))
        assert (reach > 0) == (threshold < 0.5)


def test_charge_sharing_is_before_the_counts() -> None:
    photons = np.full((300, 300), 20.0, dtype=np.float32)
    image = read_out(photons, Readout(spread=psf.parse("charge", 0.3, "-psf")), seed=1)
    once = 1.0 - image.beyond
    assert 0.9 < once < 0.97
    # Photons that are lost leave Poisson's distribution; four standard errors.
    assert abs(image.pixels.mean() - 20.0 * once) < 4.0 * math.sqrt(20.0 * once / photons.size)
    assert abs(image.pixels.var() / image.pixels.mean() - 1.0) < 4.0 * math.sqrt(2.0 / photons.size)
    assert image.spread_line == f"charge sharing: a photon is counted {once:.4g} times on average"


@pytest.mark.parametrize(
    "word",
    [
        "moffat:1",
        "moffat:0.5",
        "moffat",
        "moffat:x",
        "gauss:2",
        "round",
        "",
        "charge:0",
        "charge:1",
        "charge:x",
        "charge:nan",
    ],
)
def test_bad_words(word: str) -> None:
    with pytest.raises(InputError, match="-psf"):
        psf.parse(word, 1.0, "-psf")


@pytest.mark.parametrize("fwhm", [0.0, -1.0, math.nan, math.inf])
def test_bad_widths(fwhm: float) -> None:
    with pytest.raises(InputError, match="width of the point spread"):
        PointSpread("gauss", fwhm)
