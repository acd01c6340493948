"""Files of geometry, beam, crystal, background and readout, and the commands beside rendering, as `Target`s."""

from __future__ import annotations

import json
from collections.abc import Callable

import h5py
import numpy as np

from fuzz.target import CELL, PDB, RENDER, SHORT, SILENT, SPEC, Target, saved, text

GEOM = """photon_energy = 9500 eV
clen = 0.05 m
res = 1000
adu_per_photon = 1
dim0 = %
dim1 = ss
dim2 = fs
data = /data/data
rigid_group_q0 = a0, a1
rigid_group_collection_all = q0
a0/min_fs = 0
a0/max_fs = 3
a0/min_ss = 0
a0/max_ss = 3
a0/fs = +0.9999x -0.01y
a0/ss = -0.01x -0.9999y
a0/corner_x = -4.5
a0/corner_y = 2
coffset = 0.001
a1/min_fs = 0
a1/max_fs = 3
a1/min_ss = 4
a1/max_ss = 6
a1/fs = x
a1/ss = -y +0.02z ; tilted
a1/corner_x = 0.5
a1/corner_y = .25
a1/mask_edge_pixels = 1
badspot/min_fs = 1
badspot/max_fs = 2
badspot/min_ss = 2
badspot/max_ss = 3
badspot/panel = a0
"""
PONI = """# Nota: C-Order
poni_version: 2.1
Detector: Detector
Detector_config: {"pixel1": 0.001, "pixel2": 0.001, "max_shape": [4, 5], "orientation": 3}
Distance: 0.05
Poni1: 0.002
Poni2: 0.002
Rot1: 0.1
Rot2: -0.2
Rot3: 0.3
Wavelength: 1.5e-10
"""
XPARM = """ XPARM.XDS    VERSION Jan 10, 2022  BUILT=20220220
     1        0.0000    0.5000    1.000000  0.000000  0.000000
       1.500000       0.000000       0.000000       0.666667
     1     50.0000     60.0000     70.0000  90.000  90.000  90.000
      50.000000       0.000000       0.000000
       0.000000      60.000000       0.000000
       0.000000       0.000000      70.000000
         1         4         3    1.000000    1.000000
       2.000000       1.500000      50.000000
       1.000000       0.000000       0.000000
       0.000000       1.000000       0.000000
       0.000000       0.000000       1.000000
         1         1         4         1         3
    0.00    0.00    0.00  1.00000  0.00000  0.00000  0.00000  1.00000  0.00000
"""
CRYSTAL = """cell = [50, 60, 70]
misset_deg = [10, 20, 30]
N = [3, 4, 5]
crystal_share = 0.2
shape = "gauss"
mosaic_model = "gauss"
mosaic_sigmas_deg = [0.2, 0.4, 0.6]
mosaic_domains = 3
"""
MOSAIC = """# w x y z weight
1 0 0 0 1
0.9999619 0.0087265 0 0 2
"""
MATRICES = "1 0 0 0 1 0 0 0 1\n0.8 -0.6 0 0.6 0.8 0 0 0 1\n"
STOL = "0 2.5\n0.1 5\n0.3 4\n0.6 3\n"
SERIES = SPEC.partition("count")[0] + (
    'seed = 7\nimages_per_file = 2\nbackend = "cpu"\nnoise = true\ndtype = "uint16"\n'
    '[series]\nphi0_deg = 5\nosc_deg = 0.5\nimages = 2\nformat = "h5"\n[vary]\nfluence = { normal = [1e24, 1e22] }\n'
)
IRON = PDB.replace("ATOM      1  CA  ALA A   1 ", "HETATM    1 FE    FE A   1 ").replace(
    "           C\n", "          FE\n"
)


def _spectra() -> bytes:
    def write(file: h5py.File) -> None:
        beam = file.create_group("run/instrument/beam_1")
        beam.attrs["NX_class"] = np.bytes_("NXbeam")
        beam["incident_wavelength"] = [1.4, 1.5]
        beam["incident_wavelength"].attrs["variant"] = "spectrum"
        beam["spectrum"] = [1.6, 1.5, 1.4]
        beam["spectrum"].attrs["units"] = "angstrom"
        beam["spectrum_weights"] = [[1.0, 2.0, 3.0], [0.0, 5.0, 1.0]]

    return _hdf5(write)


def _hdf5(write: Callable[[h5py.File], None]) -> bytes:
    def make(buffer: object) -> None:
        with h5py.File(buffer, "w") as file:
            write(file)

    return saved(make)


def _mask_npy() -> bytes:
    return saved(lambda file: np.save(file, np.eye(4, dtype=np.uint8)))


def _mask_hdf5() -> bytes:
    def write(file: h5py.File) -> None:
        file.create_dataset("mask", data=np.eye(4, dtype=np.uint8), chunks=(4, 4), compression="gzip", shuffle=True)

    return _hdf5(write)


def experiment_targets(nexus: bytes, expt: dict[str, object]) -> dict[str, Target]:
    """Return the targets by the name of their format; `nexus` and `expt` are an NXmx file and a DIALS list."""
    flat = "-pixel 1 -detpixels 4"
    place = f"-distance 50 {flat}"
    beam = f"{CELL} -default_F 10 {SILENT} -N 3 -oversample 1 -threads 1"
    drawn = f"{CELL} -default_F 10 {RENDER}"
    many = {"experiment": [{"beam": 0, "detector": 0, "crystal": 0}] * 3}
    return {
        "geom": text(GEOM, "a.geom", f"-geometry {{}} {beam}", f"geometry -geometry {{}} {CELL} -out OUT/p.html"),
        "poni": text(PONI, "a.poni", f"-geometry {{}} {beam}"),
        "xparm": text(
            XPARM, "XPARM.XDS", f"-geometry {{}} {beam}", f"-mat {{}} -default_F 10 {RENDER}",
        ),
        "nexus geometry": Target(nexus, "g.h5", (f"-geometry {{}} {beam}",)),
        "expt geometry": text(json.dumps(expt | many), "g.expt", f"-geometry {{}} {beam}"),
        "spectrum": text(
            "8000 1 2\n8100 2 1\n8200 0 4\n", "s.txt", f"-spectrum_file {{}} -spectrum_shot 1 {beam} {place}"
        ),
        "spectra hdf5": Target(_spectra(), "s.h5", (f"-spectrum_file {{}} {beam} {place}",)),
        "psf": text("0 .1 0\n.1 .5 .2\n0 .1 0\n", "k.txt", f"-psf file -psf_file {{}} {drawn}"),
        "mask npy": Target(_mask_npy(), "m.npy", (f"-mask {{}} {drawn}",)),
        "mask hdf5": Target(_mask_hdf5(), "m.h5", (f"-mask {{}} {drawn}",)),
        "crystal": text(CRYSTAL, "c.toml", f"-crystal {{}} -default_F 10 {RENDER}"),
        "mosaic": text(MOSAIC, "m.txt", f"-mosaic_file {{}} {drawn}"),
        "mosaic matrices": text(MATRICES, "m.txt", f"-mosaic_file {{}} {drawn}"),
        "anomalous": text(
            "7000 -4 0.5\n7112 -8 0.5\n7113 -8 3.9\n9300 -5 3.8\n", "fe.txt",
            f"-pdb OUT/m.pdb -anomalous_file FE={{}} -hkl_dmin 8 {RENDER}", beside={"m.pdb": IRON},
        ),
        "background": text(STOL, "b.stol", f"-background {{}}:0.5:1:18 -fluence 1e24 {drawn}"),
        "nonbragg": text(STOL, "b.stol", "nonbragg -stol {} -lambda 1.5 -distance 50 -detpixels 4 -pixel 1 -floatfile "
                         "OUT/f.bin -intfile OUT/i.img -nopgm -nonoise"),
        "noisify": Target(
            np.ones(16, "<f4").tobytes(), "f.bin",
            ("noisify -floatfile {} -detpixels 4 -pixel 1 -seed 1 -noisefile OUT/n.img -nopgm -intfile /dev/null",),
        ),
        "background-profile": Target(
            np.ones(64, "<f4").tobytes(),
            "p.bin",
            ("background-profile {} -o OUT/t.stol -bins 1 -beamsize 0.05 -fluence 1e9 -lambda 1 -distance 50 -pixel 1 "
             "-detpixels 8",),
        ),
        "refine": Target(
            nexus, "r.h5",
            (f"refine {{}} -o OUT/r -default_F 100 -free misset,scale -evaluations 2 -nodump {CELL} {SHORT}",),
        ),
        "view": Target(nexus, "v.h5", ("view {}",)),
        "series": text(SERIES, "r.toml", "series {} --dry-run --threads 1", "series {} -o OUT/b --threads 1"),
    }  # fmt: skip
