"""The defects of nanoBragg.c, one switch each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nbnumba.parameters.choices import Semantics


@dataclass(frozen=True)
class Defects:
    """True where nanoBragg.c is imitated, False where the physics is put right."""

    cell_by_volume: bool = True  # -cell lays out c* by the volume of the direct cell
    negative_osc_unset: bool = True  # a negative -osc counts as not given
    stale_phi0: bool = True  # a phi of exactly 0 keeps the orientation of the step before
    compounding_factors: bool = True  # the -oversample_* factors multiply the running sum
    black_without_sensor: bool = True  # -oversample_thick without a sensor captures nothing
    nopolar_undone: bool = True  # -oversample_polar turns polarization on again
    last_layer_capture: bool = True  # the whole sum is scaled by the last layer's capture
    interpolation_latch: bool = True  # one sample near the table's edge ends interpolation for good
    interpolation_by_typed_size: bool = True  # the automatic choice looks at -Na -Nb -Nc as typed
    weights_ignored: bool = True  # weights of a source file
    water_in_sum: bool = True  # background enters before scaling
    misset_in_radians: bool = True  # -misset random
    curved_mirrored: bool = True  # -curved_det
    pivot_forced: bool = True  # a convention overrules -pivot
    pix0_ignored: bool = True  # -pix0_vector


C_PROGRAM = Defects()
# The C program with its maintainers' pending fixes.
C_FIXED = replace(C_PROGRAM, stale_phi0=False, compounding_factors=False)
NONE = Defects(**dict.fromkeys(Defects.__dataclass_fields__, False))


def of_semantics(semantics: Semantics) -> Defects:
    """Return the defects that a semantics has."""
    return C_PROGRAM if semantics is Semantics.C else NONE
