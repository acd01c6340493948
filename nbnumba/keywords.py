"""Keywords of an experiment, in the units of their names, with their types.

Written by `python -m nbnumba.parameters.stub` from the table of parameters, for editors and type checkers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from numpy.typing import ArrayLike, NDArray

Path = str | os.PathLike[str]
Numbers = Sequence[float] | NDArray[Any]
Three = Numbers
Wholes = Sequence[int] | NDArray[Any]


class Keywords(TypedDict, total=False):
    """What describes an experiment; everything has a default but crystal and structure factors."""

    # Crystal
    matrix: Path
    """As of MOSFLM, the crystal of a DIALS .expt, or an XDS XPARM.XDS."""
    A_matrix: ArrayLike
    """(3, 3) [1/Å], columns a*, b*, c*, in the laboratory frame."""
    cell: Numbers
    """One to six numbers: lengths [Å], angles [deg].

    With `semantics="c"` the angles of a triclinic or primitive rhombohedral cell come out up to 2 degrees off,
    as C draws them; a `U_matrix` beside it (np.eye(3) in the same orientation) avoids that.
    """
    U_matrix: ArrayLike
    """(3, 3) orientation, with `cell`: A = U B, where B has a* along x and b* in the xy plane."""
    misset_deg: Three | str
    """Turns the crystal about x, y and z; or "random"."""
    misset_seed: int
    """Seed of the random orientation."""
    crystals: Path | Mapping[str, Any] | Sequence[Path | Mapping[str, Any]]
    """Several crystals, or one: files, or mappings of the keywords of a crystal (matrix, cell, A_matrix,
    misset_deg, N, shape, mosaicity, hkl, default_F, crystal_share, ...). What they leave out is that of the
    other keywords.
    """
    crystal_share: float
    """Part of the beam's fluence that falls on the crystal; 0: the beam misses it."""
    N: int | Wholes
    """Unit cells along each axis: one number, or three."""
    crystal_size_mm: float | Three
    """Edges of the crystal, instead of N."""
    shape: str
    """"square", "round", "gauss", "tophat"; with unit cells counted along each axis "gauss_abc", "gauss_argchk",
    "tophat_abc"; "gauss_star", as large in all directions.
    """
    Nd: float
    """Off the diagonal of the matrix of unit cells, between a and b; for shape gauss_* and tophat_abc."""
    Ne: float
    """The same between b and c."""
    Nf: float
    """The same between a and c."""
    spread: str
    """"sampled": mosaicity, dispersion and divergence by domains and sources; "continuous": as one Gaussian
    of the same variances for each reflection of Gaussian spots.
    """
    fudge: float
    """Factor on the squared distance to a spot, not for square."""
    mosaic_spread_deg: float
    """Isotropic mosaic spread [deg]."""
    mosaic_domains: int
    """Number of mosaic domains."""
    mosaic_seed: int
    """Seed of the domains."""
    mosaic_model: str
    """Distribution of the domains: "c", "gauss", "uniform", "simtbx", "diffbragg".

    `mosaic_spread_deg` is the largest angle of c, simtbx and uniform, and the standard deviation of gauss
    (about each axis) and diffbragg (of the angle).
    """
    mosaic_sigmas_deg: float | Numbers
    """Instead of `mosaic_spread_deg`: one number, or three about a*, the axis across it in the plane of b*,
    and the third [deg]; with three correlations ab, bc, ac after them where they are not independent.
    """
    mosaic_file: Path
    """Rotations of the mosaic domains, a line each: a matrix (9 numbers) or a quaternion (w x y z), and a weight."""
    lattice_spread_percent: float | Three
    """Standard deviation of the lengths a, b, c among the mosaic domains: one number, or three."""
    diffuse_gamma_A: float | Three
    """Distance over which displacements are correlated, for a diffuse halo around every reflection [Å]:
    one number, or three.
    """
    diffuse_sigma_A: float | Three
    """Root mean square displacement of the diffuse halo [Å]: one number, or three."""
    diffuse_laue: str
    """Laue group that the halo has."""
    diffuse_stencil: int
    """Neighbors of a reflection on each side whose halos reach it."""
    diffuse_axes: str
    """Axes of gamma and sigma: a* and the two across it, a-b a+b c, or as diffBragg the laboratory's."""
    only_diffuse: bool
    """Draw the diffuse halo without the spots."""

    # Structure factors
    hkl: Path | ArrayLike
    """A file (text, MTZ, CIF, XDS_ASCII), or an array (n, 4) of h, k, l, F for P1."""
    hkl_column: str
    """Column of an MTZ or CIF file."""
    hkl_dmin_A: float
    """Take no reflections beyond this resolution from an MTZ, CIF or PDB file [Å]."""
    pdb: Path
    """Structure factors of a model: PDB or mmCIF with bulk solvent, or CIF of a small molecule; instead of hkl."""
    default_F: float
    """Structure factor of every reflection that hkl lacks."""
    B_factor_A2: float
    """Isotropic B factor: every F, default_F included, is multiplied by exp(-B s^2), s = sin(theta)/lambda [Å^2]."""
    dump: Path
    """A Fdump.bin to read, instead of hkl."""
    interpolate: bool
    """Interpolate structure factors between the reflections; by default crystal size decides."""
    anomalous: bool
    """Structure factors of pdb at the energy of every channel, with f' and f'' of every element."""
    anomalous_file: str
    """ELEMENT=FILE or CHAIN/RESIDUE/ATOM=FILE, separated by blanks; lines of energy [eV], f', f''."""
    anomalous_bins: int
    """Tables of structure factors by energy, each for as many channels."""
    phase_column: str
    """Column of phases of the MTZ file, such as PHIC with hkl_column FC: anomalous adds the atoms of pdb to them."""

    # Beam
    wavelength_A: float
    """Wavelength [Å]."""
    energy_ev: float
    """Photon energy, instead of wavelength_A [eV]."""
    fluence: float
    """Photons per square meter on the sample."""
    flux: float
    """Photons per second; with exposure_s and beamsize_mm instead of fluence."""
    exposure_s: float
    """Exposure time [s]."""
    beamsize_mm: float
    """Edge of the square beam; clips the sample in y and z [mm]."""
    polarization: float
    """Kahn factor, -1 to 1."""
    polarized: bool
    """Whether there is a polarization correction."""

    # Divergence and bandwidth
    dispersion_percent: float
    """Full width of the spectrum, of the wavelength [%]."""
    dispsteps: int
    """Wavelengths across it."""
    hdivrange_mrad: float
    """Full horizontal divergence [mrad]."""
    vdivrange_mrad: float
    """Full vertical divergence [mrad]."""
    hdivsteps: int
    """Directions across the horizontal divergence."""
    vdivsteps: int
    """Directions across the vertical divergence."""
    hdivstep_mrad: float
    """Angle between directions, horizontal [mrad]."""
    vdivstep_mrad: float
    """Angle between directions, vertical [mrad]."""
    round_divergence: bool
    """Round off the corners of the divergence grid."""
    sources: Path
    """File of sources: lines of x y z weight wavelength [m]."""
    spectrum: str
    """"gauss:mean_ev:fwhm_ev:channels", "sase:mean_ev:fwhm_ev:spike_ev:channels" or
    "pink:peak_ev:fwhm_ev:tail_ev:channels"; instead of wavelength_A and dispersion_percent.
    """
    spectrum_file: Path
    """Lines of energy [eV] and weight, or a weight for every shot; NXmx with spectra, or its DIALS .expt."""
    spectrum_shot: int
    """Which spectrum of spectrum_file, counted from 0: column of weights, or image."""
    spectrum_seed: int
    """Seed of the spikes of spectrum sase."""
    spectrum_shift_ev: float
    """Added to every photon energy of spectrum or spectrum_file [eV]."""
    gauss_hdiv_mrad: float
    """Gaussian horizontal divergence, full width at half maximum; instead of the grid of -divergence [mrad]."""
    gauss_vdiv_mrad: float
    """Gaussian vertical divergence, full width at half maximum [mrad]."""
    gauss_divs: int
    """Directions of the Gaussian divergence."""
    beam_tilt_fast_mrad: float
    """Turns the beam towards fast once the detector is placed, which stays, as the crystal does [mrad]."""
    beam_tilt_slow_mrad: float
    """Turns it towards slow, after beam_tilt_fast_mrad [mrad]."""

    # Detector: size and place
    distance_mm: float
    """From the sample to the detector, along the beam [mm]."""
    close_distance_mm: float
    """From the sample to the nearest point of the detector plane; beats distance_mm [mm]."""
    pixel_mm: float
    """Edge of a pixel [mm]."""
    detpixels: int | Wholes
    """Pixels along each edge, or (fast, slow)."""
    Xbeam_mm: float
    """Beam center, x of the convention [mm]."""
    Ybeam_mm: float
    """Beam center, y of the convention [mm]."""
    Xclose_mm: float
    """Point nearest to the sample, fast [mm]."""
    Yclose_mm: float
    """Point nearest to the sample, slow [mm]."""
    ORGX: float
    """The same as XDS counts it, fast [pixels]."""
    ORGY: float
    """The same as XDS counts it, slow [pixels]."""
    beam_center_fast_mm: float
    """From the corner of the detector along a row to the beam, in any convention."""
    beam_center_slow_mm: float
    """The same along a column [mm]."""
    detector_rotation_deg: Three
    """About x, y and z of the laboratory."""
    twotheta_deg: float
    """Swing the detector about the 2theta axis [deg]."""
    pivot: str
    """"sample" or "beam"."""
    expt: Path
    """DIALS .expt: beam, goniometer, every panel, and the crystal if no other is given."""
    expt_number: int
    """Of several experiments in a .expt, counted from 0; without it, all lattices of the first image."""
    geometry: Path
    """File that places the panels: .geom, .poni, NXmx, .expt, XPARM.XDS, SMV or mini-CBF."""
    mask: Path
    """Pixels to skip: 0 in SMV (its header counts as of -img), TIFF, NumPy; below 0 in CBF; not 0 in an HDF5 mask."""

    # Detector: pixels and sensor
    attenuation_depth_um: float
    """Attenuation depth of the sensor; infinite: no depth effect at all."""
    thickness_um: float
    """Thickness of the sensor [um]."""
    thicksteps: int
    """Layers of the sensor."""
    curved: bool
    """All pixels at the same distance from the sample."""
    point_pixel: bool
    """Solid angle without the obliquity of the pixel."""
    panel: int
    """The panel that alone is rendered, and that roi is of; counted from 0."""
    roi: Wholes
    """Fast first and last, slow first and last; inclusive."""

    # Conventions and axes
    convention: str
    """"mosflm" (default), "denzo", "adxv", "xds" or "dials"."""
    beam_vector: Three
    """Direction of the beam; like each vector below it selects axes of your own."""
    fdet_vector: Three
    """Direction of a row of pixels."""
    sdet_vector: Three
    """Direction of a column of pixels."""
    odet_vector: Three
    """Direction of growing detector distance."""
    polar_vector: Three
    """Direction of the polarization."""
    spindle_axis: Three
    """Axis of phi."""
    twotheta_axis: Three
    """Axis of 2theta."""
    pix0_vector_mm: Three
    """The same [mm]."""

    # Goniometer
    phi_deg: float
    """Spindle angle at the start [deg]."""
    osc_deg: float
    """Rotation range; below 0 the other way round, with `semantics="exact"` only [deg]."""
    phistep_deg: float
    """Angle between steps [deg]."""
    phisteps: int
    """Number of steps."""
    phi_sampling: str
    """Where in each phi step the crystal is drawn: "mid" (default), its middle; "edge", its start, as C does."""

    # Sampling
    oversample: int
    """Sub-pixels along each edge of a pixel."""
    oversample_thick: bool
    """Sensor absorption anew for every subpixel_mm."""
    oversample_polar: bool
    """Polarization anew for every subpixel_mm."""
    oversample_omega: bool
    """Solid angle anew for every subpixel_mm."""
    dmin_A: float
    """Leave out what lies beyond this resolution [Å]."""
    spot_cutoff_photons: float
    """Photons, in all, that Gaussian spots may lack in a pixel because they are cut off."""

    # Background
    water_um: float
    """Edge of a cube of water around the crystal [um]."""
    amorphous: str
    """Materials in the beam, TABLE:thick_mm[:density:MW], separated by blanks: water, air, ice, icerings,
    icerings=WIDTH, or a file of sin(theta)/lambda [1/Å] and F.
    """
    water_layer_mm: float
    """Thickness of water in the beam; amorphous water with its usual density [mm]."""
    air_layer_mm: float
    """Thickness of air: the path of the beam outside vacuum in the beam; amorphous air with its usual density [mm]."""
    ice_layer_mm: float
    """Thickness of ice in the beam; amorphous ice with its usual density [mm]."""

    # Detector: readout
    detector_preset: str
    """pilatus6m, eiger9m, eiger16m, mx340, jungfrau4m, jungfrau16m, cspad: pixels, gaps, sensor, saturation and noise
    of a detector by name; keywords given beside it win.
    """
    beamstop_mm: float
    """Radius of a disc around the beam whose pixels are masked [mm]."""
    psf: str
    """Point spread: gauss, fiber, moffat:EXPONENT, charge:THRESHOLD, or file, whose kernel is psf_file."""
    psf_fwhm_um: float
    """Its full width at half maximum [um]."""
    psf_radius: int
    """Pixels from the middle of its kernel to the edge; 0: all but a thousandth of the light."""
    psf_file: Path
    """Kernel of psf file."""
    psf_stage: str
    """Spread photons before they are counted, or the light of those that were counted, as a phosphor does."""
    flicker: float
    """Standard deviation of the brightness from image to image, a fraction."""
    flicker_pixels: float
    """Standard deviation of the brightness from pixel to pixel, a fraction; drawn anew in every image."""
    calibration: float
    """Standard deviation of the pixels' sensitivities, a fraction; the same in every image."""
    calib_seed: int
    """Seed of the sensitivities."""
    dead_time_ns: float
    """Dead time of a counting detector; with exposure_s it gives the photons that are lost [ns]."""
    rate_limit: float
    """Count rate above which a pixel is an overload; with exposure_s [photons/s]."""
    gain: float
    """Numbers per photon."""
    dark_current: float
    """Mean dark current of an image, in numbers."""
    readout_noise: float
    """Standard deviation of the readout, in numbers."""
    saturation: int
    """Largest number of a pixel, and the value of overloads."""
    dead_pixels: int
    """Pixels that hold 0, masked where a format can say so."""
    hot_pixels: int
    """Pixels that hold the saturation value, masked likewise."""
    badpix_seed: int
    """Seed of their places."""
