from __future__ import annotations

import functools
import math
import re
import subprocess
import sys

import goldens
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nbnumba.crystal.mosaic import misset_angles, mosaic_rotations, random_misset
from nbnumba.kernels.random import park_miller
from nbnumba.parameters.choices import Semantics

# Domains 1 and 2 of seed 991 with a spread of 0.02 rad, as the C function prints them.
DOMAINS_OF_C = (
    "0x1.fff0c0f485edap-1 -0x1.c8afccbe2f8cbp-7 0x1.960ad2baff50cp-8"
    " 0x1.c69bf9b7e052bp-7 0x1.ffec9e6c2556bp-1 0x1.4cf0324d923b7p-7"
    " -0x1.9f4335e22c2dep-8 -0x1.4a1539aebad67p-7 0x1.fff6b7e492343p-1",
    "0x1.ffef433b3bafep-1 -0x1.070a5f811d8eep-7 -0x1.c4c9d6f3e5819p-7"
    " 0x1.0c1eb64320fbep-7 0x1.fff364a7329d4p-1 0x1.6ef313b369399p-7"
    " 0x1.c1cc9ba7f6291p-7 -0x1.729b880e9e20fp-7 0x1.ffeb443f42bc2p-1",
)
ANGLES_OF_C = (
    "-0x1.4a1859d94da1fp-7 0x1.9f43ebff8758dp-8 0x1.c6a20bb9b4a52p-7",
    "-0x1.72a67e9bf245fp-7 -0x1.c1d039774b782p-7 0x1.0c25f2150aba3p-7",
)


def from_hex(words: str) -> list[float]:
    return [float.fromhex(word) for word in words.split()]


def turned(angles: tuple[float, float, float]) -> NDArray[np.float64]:
    """Return Rz Ry Rx of three angles."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


@functools.cache
def orientations(semantics: Semantics, n: int) -> NDArray[np.float64]:
    """Return the rotations of seeds 1 to n, (n, 3, 3)."""
    return np.array([turned(random_misset(seed, semantics)) for seed in range(1, n + 1)])


def kolmogorov_distance(sample: NDArray[np.float64], cumulative: NDArray[np.float64]) -> float:
    """Return the largest gap between a sample's steps and a cumulative distribution taken at the sample."""
    expected = np.sort(cumulative)
    n = sample.size
    return float(max(np.max(np.arange(1, n + 1) / n - expected), np.max(expected - np.arange(n) / n)))


def angle_distance(rotations: NDArray[np.float64]) -> float:
    """Return the Kolmogorov distance of the rotation angles from (t - sin t)/pi."""
    angle = np.arccos(np.clip((np.trace(rotations, axis1=1, axis2=2) - 1.0) / 2.0, -1.0, 1.0))
    return kolmogorov_distance(angle, (angle - np.sin(angle)) / math.pi)


def test_domains_are_those_of_c_to_the_bit() -> None:
    rotations = mosaic_rotations(0.02, 3, 991)
    assert rotations.dtype == np.float64
    np.testing.assert_array_equal(rotations[0], np.eye(3))
    np.testing.assert_array_equal(rotations[1:].reshape(2, 9), [from_hex(words) for words in DOMAINS_OF_C])


def test_angles_are_those_of_c_to_the_bit() -> None:
    for rotation, words in zip(mosaic_rotations(0.02, 3, 991)[1:], ANGLES_OF_C, strict=True):
        assert list(misset_angles(rotation)) == from_hex(words)


def test_a_seed_gives_the_same_domains_again_and_another_others() -> None:
    np.testing.assert_array_equal(mosaic_rotations(0.01, 20, 5), mosaic_rotations(0.01, 20, 5))
    np.testing.assert_array_equal(mosaic_rotations(0.01, 20, 5), mosaic_rotations(0.01, 40, 5)[:20])
    assert not np.any(mosaic_rotations(0.01, 20, 5)[1:] == mosaic_rotations(0.01, 20, 6)[1:])


def test_first_domain_takes_three_numbers() -> None:
    table = park_miller.new_table()
    mosaic_rotations(0.01, 1, 77, table)
    ahead = park_miller.new_table()
    ahead[park_miller.VALUE] = park_miller.start_value(77)
    for _ in range(3):
        park_miller.ran1(ahead)
    assert table == ahead


def test_no_spread_gives_identities() -> None:
    np.testing.assert_array_equal(mosaic_rotations(0.0, 4, 3), np.broadcast_to(np.eye(3), (4, 3, 3)))


def test_domains_stay_within_the_spread_and_fill_it() -> None:
    spread = 0.03
    rotations = mosaic_rotations(spread, 4000, 123)
    # 1e-15: rounding of a few products of numbers below 1.
    np.testing.assert_allclose(rotations @ rotations.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (4000, 3, 3)),
                               atol=1e-15)  # fmt: skip
    antisymmetric = (rotations - rotations.transpose(0, 2, 1))[1:, [2, 0, 1], [1, 2, 0]] / 2.0
    angle = np.arcsin(np.linalg.norm(antisymmetric, axis=1))
    assert np.all(angle <= spread * (1.0 + 6e-8))  # the spread is rounded to float32
    # angle = spread (1 - r^2)^(1/3), r uniform: a share sqrt(1 - (angle/spread)^3) lies above; 1 % level.
    share_below = 1.0 - np.sqrt(1.0 - np.minimum(angle / spread, 1.0) ** 3)
    assert kolmogorov_distance(angle, share_below) < 1.63 / math.sqrt(angle.size)
    axis = antisymmetric / np.sin(angle)[:, None]
    for component in axis.T:
        assert kolmogorov_distance(component, (component + 1.0) / 2.0) < 1.63 / math.sqrt(angle.size)


def random_cases() -> list[str]:
    return [name for name in goldens.names() if "-misset random" in " ".join(goldens.load(name).words)]


@pytest.mark.golden
@pytest.mark.parametrize("name", random_cases())
def test_random_orientation_of_the_golden_reports(name: str) -> None:
    case = goldens.load(name)
    reported = re.search(r"^random orientation misset angles: (.*) deg$", case.report, re.MULTILINE)
    assert reported is not None
    seed = int(case.words[case.words.index("-misset_seed") + 1])
    angles = random_misset(seed, Semantics.C)
    assert " ".join(f"{math.degrees(angle):f}" for angle in angles) == reported[1]


def test_golden_cases_have_a_random_orientation() -> None:
    assert random_cases()


def test_exact_orientations_have_the_moments_of_uniform_ones() -> None:
    n = 8000
    elements = orientations(Semantics.EXACT, n).reshape(n, 9)
    # Uniform: each element has mean 0 and mean square 1/3, products of two have mean 0. Four standard errors,
    # from mean squares of 1/3 (elements) and at most 1/5 (their products).
    assert np.max(np.abs(elements.mean(axis=0))) < 4.0 * math.sqrt(1.0 / 3.0 / n)
    second = elements.T @ elements / n
    assert np.max(np.abs(second - np.eye(9) / 3.0)) < 4.0 * math.sqrt(1.0 / 5.0 / n)


def test_exact_orientations_have_the_angles_of_uniform_ones() -> None:
    n = 8000
    # 1.63/sqrt(n): Kolmogorov's bound at the 1 % level.
    assert angle_distance(orientations(Semantics.EXACT, n)) < 1.63 / math.sqrt(n)


def test_orientations_of_c_are_not_uniform() -> None:
    assert angle_distance(orientations(Semantics.C, 1000)) > 0.1


def test_exact_orientations_turn_any_direction_anywhere() -> None:
    n = 8000
    rotations = orientations(Semantics.EXACT, n)
    for direction in np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.6, 0.0, -0.8], [1 / 3, 2 / 3, 2 / 3]]):
        for component in (rotations @ direction).T:  # uniform on a sphere: each component is uniform in [-1, 1]
            assert kolmogorov_distance(component, (component + 1.0) / 2.0) < 1.63 / math.sqrt(n)


def test_orientation_of_c_takes_three_numbers() -> None:
    table, ahead = park_miller.new_table(), park_miller.new_table()
    random_misset(9, Semantics.C, table)
    mosaic_rotations(0.1, 1, 9, ahead)
    assert table == ahead


@pytest.mark.property
@given(st.tuples(*[st.floats(-1.0, 1.0)] * 4).filter(lambda q: sum(x * x for x in q) > 1e-4))
def test_angles_reproduce_the_rotation(quaternion: tuple[float, float, float, float]) -> None:
    w, x, y, z = np.array(quaternion) / math.hypot(*quaternion)
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    # 3e-8: where roty is within 1e-8 of a right angle, a sine of 1 hides an error of sqrt(2 eps) in the angle.
    np.testing.assert_allclose(turned(misset_angles(rotation)), rotation, atol=3e-8)


@pytest.mark.parametrize("roty", [math.pi / 2.0, -math.pi / 2.0])
@pytest.mark.parametrize("rotx", [0.0, 0.4, -2.0])
def test_angles_of_a_right_angle_about_y(rotx: float, roty: float) -> None:
    rotation = turned((rotx, roty, 0.7))
    np.testing.assert_allclose(turned(misset_angles(rotation)), rotation, atol=3e-8)  # as above


def test_drawing_rotations_loads_no_numba() -> None:
    code = (
        "import sys; from nbnumba.crystal import mosaic; import nbnumba.readout.poisson; "
        "from nbnumba.parameters.choices import Semantics; "
        "mosaic.mosaic_rotations(0.1, 3, 1); mosaic.random_misset(1, Semantics.EXACT);"
        "sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
