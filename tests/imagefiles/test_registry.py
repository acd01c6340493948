"""The table of image formats: what it says is true of the files that are written and read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from plain_experiments import two_panels

import nbnumba
from nbnumba import Experiment, InputError
from nbnumba.imagefiles import load, registry
from nbnumba.imagefiles.records import LoadedImage, Source
from nbnumba.parameters.parser import parse

LINE = "-cell 40 50 60 -default_F 40 -N 3 -fluence 1e27 -oversample 1 -detpixels_f 24 -detpixels_s 18 -pixel 1"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def image() -> nbnumba.Image:
    return nbnumba.simulate(Experiment.from_command(f"{LINE} -semantics exact"))


def test_endings_and_beginnings_name_one_format_each() -> None:
    endings = [ending for form in registry.FORMATS for ending in (*form.endings, *form.other_endings)]
    assert len(endings) == len(set(endings))
    assert all(ending == ending.lower() and ending.startswith(".") for ending in endings)
    beginnings = [start for form in registry.FORMATS for start in form.signatures]
    for start in beginnings:
        assert sum(other.startswith(start) or start.startswith(other) for other in beginnings) == 1


@pytest.mark.parametrize("form", registry.FORMATS, ids=lambda form: form.name)
def test_every_function_of_a_format_is_there(form: registry.ImageFormat) -> None:
    assert callable(form.read)
    if form.loader:
        assert callable(form.load)
    if form.writer:
        assert callable(form.write)


@pytest.mark.parametrize("form", registry.WRITTEN, ids=lambda form: form.name)
def test_what_is_written_is_recognized_and_read_back(form: registry.ImageFormat) -> None:
    written = image()
    for ending in form.endings:
        name = f"a{ending}"
        written.save(name)
        assert load.format_of(name) is form
        found = list(load.read(name, parse(LINE.split()))) if form.geometry else []
        for record in found:
            assert record.pixels.shape == (18, 24)
            # Whole numbers in CBF and SMV.
            np.testing.assert_allclose(record.pixels, written.array, rtol=0.0, atol=0.5 + 1e-3)
        assert len(found) == form.geometry
        if form.loader and form is not registry.PNG:
            loaded: LoadedImage = form.load(Source(name))
            np.testing.assert_allclose(loaded.values, written.array, rtol=0.0, atol=0.5 + 1e-3)


@pytest.mark.parametrize("form", registry.WRITTEN, ids=lambda form: form.name)
def test_numbers_of_a_format_are_those_of_the_table(form: registry.ImageFormat) -> None:
    written = image()
    for dtype in ("float32", "int32", "uint16"):
        name = f"{dtype}{form.endings[0]}"
        if dtype in form.dtypes:
            written.save(name, dtype=dtype)
        else:
            with pytest.raises(InputError, match=f"dtype '{dtype}' is not possible"):
                written.save(name, dtype=dtype)
            assert not Path(name).exists()


@pytest.mark.parametrize("form", registry.WRITTEN, ids=lambda form: form.name)
def test_panels_go_into_the_formats_that_the_table_says(form: registry.ImageFormat) -> None:
    written = nbnumba.simulate(two_panels())
    name = f"a{form.endings[0]}"
    if form.many_panels:
        written.save(name)
        assert Path(name).stat().st_size > 0
    else:
        with pytest.raises(InputError, match="holds one panel, the detector has 2"):
            written.save(name)
        assert list(Path().iterdir()) == []


def test_text_is_distinguished_from_pixels() -> None:
    assert registry.looks_like_text(b"1 2 3 4.5\n\t-7 \r\n")
    assert registry.looks_like_text(b"\xef\xbb\xbf# a comment\n")
    assert not registry.looks_like_text(b"")
    assert not registry.looks_like_text(np.arange(9, dtype="<f4").tobytes())


def test_names_that_contradict_a_format() -> None:
    for name in ("x.h5", "x.HDF5", "x.nxs", "x", "/dev/null"):
        registry.check_ending("-h5file", name, registry.NXMX)
    for name in ("x.cbf", "x.h5.gz", "x.txt"):
        with pytest.raises(InputError, match=rf"^-h5file {name}: -h5file writes an HDF5 file; allowed endings: \.h5, "):
            registry.check_ending("-h5file", name, registry.NXMX)
