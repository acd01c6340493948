"""The noise and the point spread of noisify.c, to the bit, its defects included.

What C stores in a `float` is float32 here. The two streams of random numbers share one shuffle table and one spare
Gaussian deviate, as C's static variables make them.
"""

import math

import numpy as np

from ..jit import strict, strict_inner
from ..random.c_stream import gaussian_deviate, poisson_deviate
from ..random.park_miller import VALUE

GAUSS, FIBER = 0, 1
_FIBER_G = 0.652383013252053  # of the full width at half maximum
_PHOTON_LOSS = 10.0  # the kernel is cut where a tenth of the photon noise is lost


@strict
def draw_photons(photons, flicker, calibration, seeds, table, kept):
    """Replace expected photons by counts, in raster order, and return their sum.

    Parameters
    ----------
    photons : (n,) float32
        Changed in place.
    flicker, calibration : float
        Standard deviations, as fractions; 0 draws nothing.
    seeds : (2,) int64
        Of everything else, and of the calibration; changed in place.
    table, kept : see `nbnumba.kernels.random.c_stream`

    Notes
    -----
    noisify.c:571-592.
    """
    total = 0.0
    for i in range(photons.shape[0]):
        value = np.float64(photons[i])
        if flicker > 0.0:
            table[VALUE] = seeds[0]
            value *= 1.0 + flicker * np.float64(gaussian_deviate(table, kept))
            seeds[0] = table[VALUE]
        if calibration > 0.0:
            table[VALUE] = seeds[1]
            value *= 1.0 + calibration * np.float64(gaussian_deviate(table, kept))
            seeds[1] = table[VALUE]
        table[VALUE] = seeds[0]
        photons[i] = poisson_deviate(np.float32(value), table, kept)
        seeds[0] = table[VALUE]
        total += np.float64(photons[i])
    return total


@strict
def read_out(photons, adu, gain, offset, readout, seeds, table, kept):
    """Convert photons to ADU, with readout noise, in raster order (noisify.c:611-622); returns their sum."""
    total = 0.0
    for i in range(photons.shape[0]):
        total += np.float64(photons[i])
        value = np.float64(photons[i]) * gain + offset
        if readout > 0.0:
            table[VALUE] = seeds[0]
            value += readout * np.float64(gaussian_deviate(table, kept))
            seeds[0] = table[VALUE]
        adu[i] = value
    return total


@strict_inner
def automatic_radius(kind, value, fwhm, g, first_look):
    """Radius beyond which a tenth of the photon noise of a value is lost [pixels]."""
    lost = math.sqrt(value) / _PHOTON_LOSS
    if kind == GAUSS:
        scale = math.log(4.0) * 2.0 if first_look else math.log(16.0)
        inside = -math.log(lost / value) / scale
        # C takes the root of a negative number here for less than 0.01 photons, and its cast gives INT_MIN.
        if inside < 0.0:
            return -1
        return np.int64(1.0 + math.ceil(math.sqrt(inside) * fwhm))
    return np.int64(1.0 + math.ceil(g * (value / lost)))


@strict_inner
def corner(kind, x, y, fwhm, g):
    """Integral of the spread function from the origin to a corner of a pixel (noisify.c:690-724)."""
    if kind == GAUSS:
        root = math.sqrt(math.log(16.0) / math.log(2.0))
        along = math.erf(2.0 * x * math.sqrt(math.log(2.0)))
        return 0.125 * (along * math.erf(y * math.sqrt(math.log(16.0))) * root)
    return math.atan((x * y) / (g * math.sqrt(g * g + x * x + y * y))) / 2.0 / math.pi


@strict
def fill_kernel(kind, radius, fwhm, kernel):
    """Write the integrals over the pixels of a disc into an array of 2 radius + 1 pixels along each edge."""
    g = fwhm * _FIBER_G
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            if dx * dx + dy * dy > radius * radius:
                continue
            if kind == GAUSS:
                x, y, half = dx / fwhm, dy / fwhm, 1.0 / fwhm / 2.0
            else:
                x, y, half = np.float64(dx), np.float64(dy), 0.5
            kernel[radius + dy, radius + dx] = (
                corner(kind, x + half, y + half, fwhm, g)
                - corner(kind, x + half, y - half, fwhm, g)
                - corner(kind, x - half, y + half, fwhm, g)
                + corner(kind, x - half, y - half, fwhm, g)
            )


@strict
def largest_radius(kind, image, fwhm, user_radius):
    """Radius of the kernel: the fixed one, or that of the brightest pixel, however large; 0 where nothing is spread."""
    radius = user_radius
    if radius <= 0:
        top = 0.0
        for i in range(image.size):
            top = max(top, np.float64(image.flat[i]))
        if not top > 0.0:
            return 0
        radius = automatic_radius(kind, top, fwhm, fwhm * _FIBER_G, True)
        if radius < 0:
            return 0
        radius = max(radius, 1)
    return radius


@strict
def spread(kind, image, fwhm, user_radius, kernel, out):
    """Spread every pixel over its neighbors, each as far as its own photons ask for (noisify.c:795-925).

    Parameters
    ----------
    kind : int
    image : (n_slow, n_fast) float32 or float64
    fwhm : float [pixels]
    user_radius : int
        0 is automatic. Below 0 nothing is spread, and every photon counts as lost, as in simtbx.
    kernel : (2 r + 1, 2 r + 1) float64
    out : (n_slow n_fast + 1,) of the type of the image
        Zeros; written. Photons right of the image stand at the beginning of the next row, as in C.

    Returns
    -------
    float
        Photons that were lost, and given back to all pixels alike.
    """
    n_slow, n_fast = image.shape
    pixels = n_slow * n_fast
    g = fwhm * _FIBER_G
    middle = kernel.shape[0] // 2
    longest = max(n_slow, n_fast)
    lost_in_all = 0.0
    for y0 in range(n_slow):
        for x0 in range(n_fast):
            value = np.float64(image[y0, x0])
            if value <= 0.0:
                continue
            radius = user_radius
            if user_radius == 0:
                radius = automatic_radius(kind, value, fwhm, g, False)
                if radius < 0:
                    continue
            if radius == 0:
                radius = 1
            radius = min(radius, longest)
            if kind == GAUSS:
                relative = np.float64(radius) / fwhm
                lost_in_all += value * math.exp(-math.log(16.0) * (relative * relative))
            else:
                lost_in_all += value * g / math.sqrt(g * g + np.float64(radius * radius))
            for dx in range(-radius, radius + 1):
                x = x0 + dx
                if x < 0 or x > n_fast:
                    continue
                for dy in range(-radius, radius + 1):
                    y = y0 + dy
                    if y < 0 or y > n_slow or dx * dx + dy * dy > radius * radius:
                        continue
                    part = kernel[middle + dy, middle + dx]
                    j = y * n_fast + x
                    if part != 0.0 and j <= pixels:
                        out[j] = out[j] + value * part
    for i in range(pixels):
        out[i] = out[i] + lost_in_all / pixels
    return lost_in_all
