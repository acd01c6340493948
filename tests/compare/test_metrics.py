"""The numbers of a comparison and the judgment."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from nbnumba.compare.metrics import Check, Metrics, Thresholds, judge, measure
from nbnumba.compare.pair import make_pair
from nbnumba.imagefiles.records import LoadedImage

SUMS = 1e-12  # rounding of sums of up to 2000 terms, in another order than NumPy's
ROUNDING = 1e-15  # of a few operations


def compare(a: ArrayLike, b: ArrayLike, **options: object) -> Metrics:
    images = [LoadedImage(name, "kind", np.asarray(values, np.float64)) for name, values in (("a", a), ("b", b))]
    return measure(make_pair(images[0], images[1], **options))  # type: ignore[arg-type]


def passes(a: ArrayLike, b: ArrayLike, **thresholds: float) -> bool:
    return all(check.passed for check in judge(compare(a, b), Thresholds(**thresholds)))


def failures(checks: list[Check]) -> list[str]:
    return [check.name for check in checks if not check.passed]


@pytest.fixture
def image() -> NDArray:
    return np.random.default_rng(3).gamma(2.0, 10.0, (40, 50))


def test_equal_images(image: NDArray) -> None:
    m = compare(image, image)
    assert (m.correlation, m.decorrelation, m.rmse, m.max_difference) == (1.0, 0.0, 0.0, 0.0)
    assert (m.sum_ratio, m.equal_fraction, m.worst, m.pixels) == (1.0, 1.0, (), 2000)
    assert passes(image, image, rmse=0.0, max_difference=0.0, displacement=0.0, equal_fraction=1.0)


def test_numbers_against_numpy(image: NDArray) -> None:
    other = image + np.random.default_rng(4).normal(0.0, 3.0, image.shape)
    m = compare(image, other)
    assert m.correlation == pytest.approx(np.corrcoef(image.ravel(), other.ravel())[0, 1], rel=SUMS)
    assert m.rmse == pytest.approx(np.sqrt(np.mean((other - image) ** 2)), rel=SUMS)
    assert m.sum_ratio == pytest.approx(other.sum() / image.sum(), rel=SUMS)
    difference = np.abs(other - image)
    assert m.max_difference == difference.max()
    slow, fast = np.unravel_index(difference.argmax(), image.shape)
    assert (m.worst[0].slow, m.worst[0].fast) == (slow, fast)
    assert (m.worst[0].a, m.worst[0].b) == (image[slow, fast], other[slow, fast])


def test_tiny_decorrelation_keeps_its_digits(image: NDArray) -> None:
    other = image.copy()
    other[7, 9] += 1e-5
    spread = np.sum((image - image.mean()) ** 2)
    # To first order 1 - r is half the relative square of the change, less its part along the image (0.1 % here).
    assert compare(image, other).decorrelation == pytest.approx(0.5 * 1e-10 / spread, rel=0.01)


def test_scale_shows_in_the_sum_alone(image: NDArray) -> None:
    m = compare(image, 2.0 * image)
    assert m.correlation == pytest.approx(1.0, abs=ROUNDING)
    assert m.sum_ratio == pytest.approx(2.0, rel=ROUNDING)
    assert failures(judge(m, Thresholds())) == ["sum_ratio"]
    assert not failures(judge(m, Thresholds(sum_ratio=1.1)))


def test_shuffled_pixels_show_in_the_correlation_alone(image: NDArray) -> None:
    assert failures(judge(compare(image, image[::-1]), Thresholds())) == ["correlation"]


def test_default_thresholds() -> None:
    a = np.zeros((10, 10))
    a[0, 0] = 1.0
    for change, verdict in ((0.9e-6, True), (1.1e-6, False)):
        assert passes(a, a * (1.0 + change)) is verdict
    # Orthogonal noise of relative size e lowers the correlation by e^2 / 2.
    wave = np.sin(np.arange(100) * 2 * np.pi / 100).reshape(10, 10)
    noise = np.cos(np.arange(100) * 2 * np.pi / 100).reshape(10, 10)
    for size, verdict in ((1.3e-3, True), (1.5e-3, False)):
        checks = judge(compare(wave + 5.0, wave + 5.0 + size * noise), Thresholds())
        assert all(check.passed for check in checks) is verdict


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("rmse", 0.11, 0.09),
        ("max_difference", 1.01, 0.99),
        ("equal_fraction", 0.98, 0.995),
    ],
)
def test_thresholds_that_are_off_by_default(name: str, good: float, bad: float) -> None:
    a = 1000.0 * np.arange(100.0).reshape(10, 10)
    b = a.copy()
    b[3, 4] += 1.0
    assert passes(a, b)
    assert passes(a, b, **{name: good})
    assert failures(judge(compare(a, b), Thresholds(**{name: bad}))) == [name]


def test_displacement_threshold() -> None:
    a = np.zeros((20, 20))
    a[10, 10] = 1.0
    b = np.roll(a, 1, axis=1)
    off = {"correlation": None, "sum_ratio": None}
    assert not failures(judge(compare(a, b), Thresholds(**off, displacement=1.0)))  # type: ignore[arg-type]
    assert failures(judge(compare(a, b), Thresholds(**off, displacement=0.9))) == ["displacement"]  # type: ignore[arg-type]
    far = np.roll(a, 6, axis=1)
    assert failures(judge(compare(a, far), Thresholds(**off, displacement=9.0))) == ["displacement"]  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0])
def test_equal_constant_images_pass(value: float) -> None:
    a = np.full((8, 8), value)
    m = compare(a, a)
    assert m.correlation is None
    assert m.both_constant
    assert m.sum_ratio == 1.0
    assert passes(a, a)


def test_constant_images_of_other_height_fail_by_their_sum() -> None:
    m = compare(np.full((8, 8), 5.0), np.full((8, 8), 6.0))
    assert m.sum_ratio == pytest.approx(1.2, rel=ROUNDING)
    assert failures(judge(m, Thresholds())) == ["sum_ratio"]


def test_constant_image_against_a_pattern_fails(image: NDArray) -> None:
    flat = np.full(image.shape, image.mean())
    for pair in ((flat, image), (image, flat)):
        m = compare(*pair)
        assert m.correlation is None
        assert "correlation" in failures(judge(m, Thresholds()))


def test_black_image_against_a_picture() -> None:
    black, spot = np.zeros((8, 8)), np.eye(8)
    assert compare(black, spot).sum_ratio is None
    assert failures(judge(compare(black, spot), Thresholds())) == ["correlation", "sum_ratio"]
    assert compare(spot, black).sum_ratio == 0.0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_in_both_is_equal(image: NDArray, value: float) -> None:
    image[3, 4] = value
    m = compare(image, image)
    assert (m.not_finite, m.not_finite_in_one, m.equal_fraction, m.rmse) == (1, 0, 1.0, 0.0)
    assert m.correlation == 1.0
    assert passes(image, image)


@pytest.mark.parametrize(("one", "other"), [(np.nan, 1.0), (1.0, np.inf), (np.inf, -np.inf), (np.nan, np.inf)])
def test_what_is_not_finite_in_one_fails(image: NDArray, one: float, other: float) -> None:
    a, b = image.copy(), image.copy()
    a[3, 4], b[3, 4] = one, other
    m = compare(a, b)
    assert m.not_finite_in_one == 1
    assert m.max_difference == 0.0
    assert failures(judge(m, Thresholds())) == ["not_finite_in_one"]


def test_images_without_a_number_fail() -> None:
    a = np.full((6, 6), np.nan)
    m = compare(a, a)
    assert m.rmse is m.max_difference is m.correlation is None
    assert "finite" in failures(judge(m, Thresholds()))


def test_huge_and_tiny_values(image: NDArray) -> None:
    other = image + np.random.default_rng(4).normal(0.0, 3.0, image.shape)
    expected = compare(image, other)
    assert expected.rmse is not None
    for factor in (1e303, 1e-303):
        m = compare(image * factor, other * factor)
        # The factor rounds every value once, by up to 1.1e-16; many of these errors stand in each sum.
        assert m.decorrelation == pytest.approx(expected.decorrelation, rel=SUMS)
        assert m.rmse == pytest.approx(expected.rmse * factor, rel=SUMS)


def test_pixels_left_out_count_nowhere(image: NDArray) -> None:
    other = image.copy()
    other[5, 6] = -1e6
    m = compare(image, other, valid=(0.0, np.inf))
    assert (m.left_out, m.pixels, m.equal_fraction, m.max_difference) == (1, 1999, 1.0, 0.0)
    assert all(check.passed for check in judge(m, Thresholds()))


def test_worst_pixels_lie_apart_and_count_in_the_whole_image() -> None:
    a = np.zeros((100, 100))
    b = a.copy()
    b[50, 50], b[50, 52], b[20, 80] = 5.0, 4.0, -3.0
    worst = compare(a, b, roi=(10, 99, 10, 99)).worst
    assert [(p.slow, p.fast, p.a, p.b) for p in worst] == [(50, 50, 0.0, 5.0), (20, 80, 0.0, -3.0)]


def test_at_most_ten_worst_pixels(image: NDArray) -> None:
    worst = compare(image, image + np.random.default_rng(4).normal(0.0, 3.0, image.shape)).worst
    sizes = [abs(pixel.b - pixel.a) for pixel in worst]
    assert len(worst) == 10
    assert sizes == sorted(sizes, reverse=True)
