"""Diffuse scattering around every reflection, by displacements that are correlated over some distance."""

from ..jit import physics
from .functions import exp_minus
from .structure_factor import padded_index, table_place


@physics
def halo_factor(q, flat, h, k, l):
    """Structure factor of a reflection, from the numbers of a scene and its table."""
    i = padded_index(h, float(q.h_min), float(q.nh))
    j = padded_index(k, float(q.k_min), float(q.nk))
    m = padded_index(l, float(q.l_min), float(q.nl))
    return float(flat[int(table_place(i, j, m, float(q.nk), float(q.nl)))])


@physics
def halo_profile(q, m, dh, dk, dl):
    """Lorentzian squared of one symmetry operation at an offset from a reflection: 1 in its middle."""
    x = q.halo[m, 9] * dh + q.halo[m, 10] * dk + q.halo[m, 11] * dl
    y = q.halo[m, 12] * dh + q.halo[m, 13] * dk + q.halo[m, 14] * dl
    z = q.halo[m, 15] * dh + q.halo[m, 16] * dk + q.halo[m, 17] * dl
    below = 1.0 + (x * x + y * y + z * z)
    return 1.0 / (below * below)


@physics
def halo_strength(q, m, h0, k0, l0):
    """What the displacements take out of a reflection and spread around it: e exp(-e)."""
    x = q.halo[m, 0] * h0 + q.halo[m, 1] * k0 + q.halo[m, 2] * l0
    y = q.halo[m, 3] * h0 + q.halo[m, 4] * k0 + q.halo[m, 5] * l0
    z = q.halo[m, 6] * h0 + q.halo[m, 7] * k0 + q.halo[m, 8] * l0
    exponent = x * x + y * y + z * z
    return exponent * exp_minus(exponent)


@physics
def halo_intensity(q, flat, h0, k0, l0, dh, dk, dl):
    """Intensity of the halo over F^2 of the nearest reflection, to be added to the squared lattice factor.

    Parameters
    ----------
    q, flat
        Numbers of a scene and its table of structure factors.
    h0, k0, l0, dh, dk, dl : float
        The nearest reflection, and the offset from it.

    Notes
    -----
    The mean over symmetry operations L and neighbors n of
    (F(h0 + n)/F(h0))^2 8 pi det(G) e exp(-e)/(1 + 4 pi^2 |G A L (dh - n)|^2)^2, e = 4 pi^2 |S A L h0|^2, where A takes
    indices to 1/Angstrom, G = diag(gamma) and S = diag(sigma): liquid-like motions (Caspar et al., Nature 332 (1988)
    659) in the form of diffBragg. The ratio is 1 where F(h0) is 0.
    """
    own = halo_factor(q, flat, h0, k0, l0)
    reach = q.halo_stencil
    total = 0.0
    for m in range(q.halo_count):
        part = 0.0
        for i in range(-reach, reach + 1):
            for j in range(-reach, reach + 1):
                for n in range(-reach, reach + 1):
                    ratio = 1.0
                    if own != 0.0 and (i != 0 or j != 0 or n != 0):
                        ratio = halo_factor(q, flat, h0 + i, k0 + j, l0 + n) / own
                    part += ratio * ratio * halo_profile(q, m, dh - i, dk - j, dl - n)
        total += part * halo_strength(q, m, h0, k0, l0)
    return total * q.halo_scale
