"""The files that a command reads and writes, checked before it does either."""

from __future__ import annotations

from collections.abc import Sequence

from ..io.atomic import check_can_write, check_distinct
from .command import Output
from .settings import Settings

Named = tuple[str, str]
"""An option and the path that it names."""


def check_files(settings: Settings, outputs: Sequence[Named] = (), more_inputs: Sequence[Named] = ()) -> None:
    """Refuse outputs that would replace one another or an input, or that cannot be written.

    Parameters
    ----------
    settings : Settings
        Name the inputs and the dump of the structure factors, which is an output beside -hkl and an input without.
    outputs, more_inputs : sequence of (option, path)
        What is written and read besides.

    Raises
    ------
    InputError
        Two options name one file, at least one of them to write it.
    FileError
        An output cannot be written.
    """
    inputs = [
        ("-mat", settings.crystal.matrix_file),
        ("-hkl", settings.factors.hkl_file),
        ("-pdb", settings.factors.pdb_file),
        ("-expt", settings.detector.expt_file),
        ("-sourcefile", settings.beam.source_file),
        ("-mask", settings.detector.mask_file),
        ("-img", settings.detector.header_file),
    ]
    written = list(outputs)
    if settings.factors.hkl_file is None and settings.factors.pdb_file is None:
        inputs.append(("-dump", settings.factors.dump_file))
    elif (
        settings.factors.hkl_file is not None and settings.factors.write_dump and settings.factors.dump_file is not None
    ):
        written.append(("-dump", settings.factors.dump_file))
    check_distinct(written, [*more_inputs, *_named(inputs)])
    # A dump that cannot be written is worth a notice only, which its writer gives.
    for option, path in outputs:
        check_can_write(option, path)


def image_outputs(output: Output) -> list[Named]:
    """Return the files that a rendering writes, the dump of the structure factors apart."""
    return _named(
        [
            ("-floatfile", output.float_file),
            ("-intfile", output.int_file),
            ("-pgmfile", output.pgm_file),
            ("-noisefile", output.noise_file),
            ("-pngfile", output.png_file),
            ("-tracefile", output.trace_file),
            ("-h5file", output.h5_file),
            ("-cbffile", output.cbf_file),
        ]
    )


def _named(files: Sequence[tuple[str, str | None]]) -> list[Named]:
    return [(option, path) for option, path in files if path is not None]
