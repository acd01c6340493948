"""Every kind of file that the program reads: a small seed, and the command lines that read it."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
from pathlib import Path

import numpy as np

from fuzz.experiment_targets import experiment_targets
from fuzz.target import CELL, PDB, RENDER, SILENT, SPEC, Target, saved, text
from nbnumba import cli
from nbnumba.util.signals import signals_wait  # noqa: F401 - loaded before memory is limited

CIF = """data_r
_cell.length_a 50
_cell.length_b 60
_cell.length_c 70
_cell.angle_alpha 90
_cell.angle_beta 90
_cell.angle_gamma 90
_symmetry.space_group_name_H-M 'P 1'
loop_
_refln.index_h
_refln.index_k
_refln.index_l
_refln.F_meas_au
_refln.status
1 0 0 10.0 o
0 1 0 20.0 o
1 1 2 30.0 f
"""
EXPT = {
    "__id__": "ExperimentList",
    "experiment": [{"beam": 0, "detector": 0, "crystal": 0}],
    "beam": [{"direction": [0, 0, 1], "wavelength": 1.25}],
    "detector": [
        {
            "panels": [
                {
                    "fast_axis": [1, 0, 0],
                    "slow_axis": [0, -1, 0],
                    "origin": [-3, 4.5, -100],
                    "image_size": [4, 3],
                    "pixel_size": [1, 1],
                }
            ]
        }
    ],
    "crystal": [{"real_space_a": [50, 0, 0], "real_space_b": [0, 80, 0], "real_space_c": [0, 0, 100]}],
}
MAT = " -0.0105307 -0.003013 0.0141356\n 0.0069158 -0.0080722 0.0092343\n 0.0018549 0.0094946 0.0202064\n"
SOURCES = "0.0 0.0 -10.0 1.0 1.5e-10\n0.01 0.0 -10.0 0.5 1.6e-10\n"
HKL = "".join(f"{h} {k} {l} {10 + h + k + l}\n" for h in range(-2, 3) for k in range(-2, 3) for l in range(3))
TABLE = "energy_ev,N,fluence\n8000,3,1e24\n8100,4,1e24\n"


def _render_seed(folder: Path, option: str, name: str) -> bytes:
    """Return a file that the program writes."""
    path = folder / name
    words = f"{CELL} -default_F 100 {RENDER} -fluence 1e28".split()
    if option in words:
        at = words.index(option)
        words[at + 1] = str(path)
    else:
        words += [option, str(path)]
    if option == "-noisefile":
        words.remove("-nonoise")
    assert cli.main(words) == 0, words
    return path.read_bytes()


def _pillow(kind: str) -> bytes:
    from PIL import Image

    return saved(lambda file: Image.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4)).save(file, kind))


def _mtz() -> bytes:
    import gemmi

    mtz = gemmi.Mtz(with_base=True)
    mtz.spacegroup = gemmi.find_spacegroup_by_name("P 1")
    mtz.set_cell_for_all(gemmi.UnitCell(50, 60, 70, 90, 90, 90))
    mtz.add_dataset("d")
    mtz.add_column("F", "F")
    mtz.set_data(np.array([[1, 0, 0, 10], [0, 1, 0, 20], [1, 1, 2, 30]], dtype=np.float32))
    return bytes(mtz.write_to_bytes())


def _edf(folder: Path) -> bytes:
    from fabio.edfimage import EdfImage

    EdfImage(data=np.arange(16, dtype=np.float32).reshape(4, 4)).write(str(folder / "a.edf"))
    return (folder / "a.edf").read_bytes()


def _hdf5() -> bytes:
    import h5py

    def write(file: io.BytesIO) -> None:
        with h5py.File(file, "w") as made:
            made["data"] = np.arange(32, dtype=np.int32).reshape(2, 4, 4)

    return saved(write)


def targets(folder: Path) -> dict[str, Target]:
    """Return all targets by the name of their format; `folder` is for files that are made on the way."""
    convert = "convert {} -o OUT/c.h5 -quiet"
    compare = "compare {} {}"
    geometry = f"{CELL} -lambda 1.5 -distance 50 -pixel 1 -detpixels 4"
    mtz = _mtz()
    found = {
        "hkl": text(HKL, "a.hkl", f"-hkl {{}} {CELL} {RENDER}"),
        "mat": text(MAT, "a.mat", f"-mat {{}} -default_F 10 {RENDER}"),
        "sources": text(SOURCES, "s.txt", f"-sourcefile {{}} {CELL} -default_F 10 {RENDER}"),
        "pdb": text(PDB, "a.pdb", f"-pdb {{}} -hkl_dmin 8 {RENDER}"),
        "cif": text(CIF, "a.cif", f"-hkl {{}} {RENDER}"),
        "mtz": Target(mtz, "a.mtz", (f"-hkl {{}} {RENDER}",)),
        "gzip": Target(gzip.compress(mtz), "a.mtz.gz", (f"-hkl {{}} {RENDER}",)),
        "expt": text(json.dumps(EXPT), "a.expt", f"-expt {{}} -default_F 10 -N 3 -oversample 1 -threads 1 {SILENT}"),
        "spec": text(SPEC, "s.toml", "batch {} --dry-run --threads 1", "batch {} -o OUT/b --threads 1"),
        "csv": text(
            TABLE, "t.csv", "batch OUT/s.toml --dry-run --threads 1",
            beside={"s.toml": SPEC.partition("[vary]")[0] + '[vary]\ncsv = "t.csv"\n'},
        ),
        "smv": Target(
            _render_seed(folder, "-intfile", "a.img"),
            "a.img",
            (compare, convert, f"-mask {{}} {CELL} -default_F 10 {RENDER}", f"-img {{}} {CELL} -default_F 10 {RENDER}"),
        ),
        "cbf": Target(_render_seed(folder, "-cbffile", "a.cbf"), "a.cbf", (compare, convert)),
        "nexus": Target(_render_seed(folder, "-h5file", "a.h5"), "a.h5", (compare, convert)),
        "hdf5": Target(_hdf5(), "b.h5", (compare,)),
        "float": Target(
            _render_seed(folder, "-floatfile", "f.bin"),
            "f.bin",
            (compare, f"{convert} {geometry}", f"noise {{}} {geometry} -noisefile OUT/n.img -quiet -seed 3"),
        ),
        "dump": Target(b"-1 1 -1 1 -1 1\n\f" + bytes(64 * 8), "Fdump.bin", (f"-dump {{}} {CELL} {RENDER}",)),
        "npy": Target(saved(lambda file: np.save(file, np.eye(4, dtype="<f4"))), "a.npy", (compare,)),
        "png": Target(_pillow("PNG"), "a.png", (compare,)),
        "tiff": Target(_pillow("TIFF"), "a.tif", (compare,)),
        "edf": Target(_edf(folder), "a.edf", (compare,)),
        "trace": Target(_trace(folder, "json"), "t.json", ("compare-traces {} {}",)),
        "trace text": Target(_trace(folder, "text"), "t.txt", ("compare-traces {} {}",)),
    }  # fmt: skip
    return found | experiment_targets(found["nexus"].seed, EXPT)


def _trace(folder: Path, kind: str) -> bytes:
    path = folder / "t.json"
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        words = f"{CELL} -default_F 100 {RENDER} -trace_pixel 1 2 -tracefile {path}".split()
        assert cli.main(words) == 0
    return path.read_bytes() if kind == "json" else out.getvalue().encode()


# What keeps an image small comes first: words that are cut off leave it.
WORDS = [
    *f"-detpixels 4 -oversample 1 -threads 1 {SILENT} {CELL} -default_F 100 -lambda 1.5 -distance 50 -pixel 1".split(),
    *"-N 3 -mosaic 0.5 -mosaic_domains 3 -phi 1 -osc 1 -phisteps 2 -water 10 -dispersion 1 -dispsteps 2".split(),
    *"-misset 1 2 3 -round_xtal -curved_det -twotheta 5 -beamsize 0.1 -flux 1e10".split(),
]


def run_words(seed: bytes) -> int:
    """Run a command line of words that null characters separate."""
    words = [word.decode("utf-8", "surrogateescape") for word in seed.split(b"\0")]
    return cli.main([word for word in words if word])
