"""The rows of a strip that derivatives need beside those of `cpu.strip`: all stand in one scratch array."""

from __future__ import annotations

from ..cpu.strip import SCRATCH, STRIDE

_FIRST = -(-SCRATCH // STRIDE)
_NAMES = (
    "OFF_H OFF_K OFF_L LATTICE BY_H BY_K BY_L F_H F_K F_L TOTAL WANTED T_X T_Y T_Z FORM_0 FORM_1 FORM_2 FORM_3 FORM_4 "
    "FORM_5 SHARE REST HH HK HL KH KK KL LH LK LL PULL_X PULL_Y PULL_Z TO_X TO_Y TO_Z BY_SHARE"
).split()
(
    OFF_H,  # offsets from the nearest reflection
    OFF_K,
    OFF_L,
    LATTICE,  # squared lattice factor of one sample, times all that multiplies it but the structure factor
    BY_H,  # derivatives of a sample by its fractional indices
    BY_K,
    BY_L,
    F_H,  # those of an interpolated structure factor
    F_K,
    F_L,
    TOTAL,  # the pixel's sum over the crystal
    WANTED,  # 1 where the polarization factor of this source is taken, else 0
    T_X,  # derivatives of one source's samples by the scattering vector [m]
    T_Y,
    T_Z,
    FORM_0,  # derivatives of the sum by the form
    FORM_1,
    FORM_2,
    FORM_3,
    FORM_4,
    FORM_5,
    SHARE,  # derivative of a number by the pixel's sum, for derivatives by structure factors
    REST,  # what multiplies the pixel's sum [photons]
    HH,  # sum of derivative by h times h, and so on: derivatives by a strain that all orientations share
    HK,
    HL,
    KH,
    KK,
    KL,
    LH,
    LK,
    LL,
    PULL_X,  # of a bent spot, derivatives by the offset from its middle
    PULL_Y,
    PULL_Z,
    TO_X,  # by its middle
    TO_Y,
    TO_Z,
    BY_SHARE,  # by the share of mosaicity
) = ((_FIRST + i) * STRIDE for i in range(len(_NAMES)))
DIRECTIONS = (_FIRST + len(_NAMES)) * STRIDE  # where the rows of the first direction begin

_DIRECTION_NAMES = (
    "D_SUM D_X D_Y D_Z D_LOG_DISTANCE D_OMEGA D_CAPTURE D_POLAR D_OMEGA_SUM D_WATER_CAPTURE D_WATER_POLAR D_WATER_FIRST"
).split()
(
    D_SUM,  # of the pixel's sum
    D_X,  # of the diffracted unit vector
    D_Y,
    D_Z,
    D_LOG_DISTANCE,  # of the logarithm of the distance
    D_OMEGA,  # of the factors in use
    D_CAPTURE,
    D_POLAR,
    D_OMEGA_SUM,  # of what the water needs
    D_WATER_CAPTURE,
    D_WATER_POLAR,
    D_WATER_FIRST,
) = (i * STRIDE for i in range(len(_DIRECTION_NAMES)))
DIRECTION = len(_DIRECTION_NAMES) * STRIDE  # from the rows of one direction to those of the next


def scratch_size(directions: int) -> int:
    """Length of the scratch array for some number of directions."""
    return DIRECTIONS + directions * DIRECTION
