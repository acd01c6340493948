"""The files that a command reads and writes, checked before it does either."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from ..errors import called
from ..io.atomic import check_can_write, check_distinct
from .command import Output
from .settings import PART_OF, Settings
from .table import FILES_INSIDE, INPUT_FILES, OUTPUT_FILES
from .types import Parameter


def _values_of(parameters: Iterable[Parameter]) -> Callable[[Settings], tuple[Any, ...]]:
    """Return what takes the first field of each parameter out of settings."""
    fields = [parameter.fields[0] for parameter in parameters]
    return attrgetter(*(f"{PART_OF[field]}.{field}" for field in fields))


_paths, _texts = _values_of(INPUT_FILES), _values_of(FILES_INSIDE)

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
    named = input_files(settings)
    dump = dict(named).get(called("dump"))
    inputs = [file for file in named if file[0] != called("dump")]
    factors = settings.factors
    written = list(outputs)
    if dump is not None and factors.hkl_file is None and factors.pdb_file is None:
        inputs.append((called("dump"), dump))
    elif dump is not None and factors.hkl_file is not None and factors.write_dump:
        written.append((called("dump"), dump))
    check_distinct(written, [*more_inputs, *inputs])
    # A dump that cannot be written is worth a notice only, which its writer gives.
    for option, path in outputs:
        check_can_write(option, path)


def input_files(settings: Settings) -> list[Named]:
    """Return the files that settings name to be read, the dump of the structure factors among them."""
    named = list(zip(INPUT_FILES, _paths(settings), strict=True))
    inside = list(zip(FILES_INSIDE, _texts(settings), strict=True))
    return [
        *_named(named),
        *((called(parameter.name), path) for parameter, texts in inside for path in _inside(parameter, texts)),
    ]


def _inside(parameter: Parameter, texts: Iterable[Any]) -> Iterator[str]:
    """Yield the files that texts name, or the pairs that were made of them."""
    assert parameter.file_places is not None
    for text in texts:
        if isinstance(text, tuple):
            yield text[1]
        else:
            yield from (text[start:end] for start, end in parameter.file_places(text))


def image_outputs(output: Output) -> list[Named]:
    """Return the files that a rendering writes, the dump of the structure factors apart."""
    values = {**vars(output), "pgm_name": output.pgm_file}
    return _named((parameter, values[parameter.fields[0]]) for parameter in OUTPUT_FILES)


def _named(files: Iterable[tuple[Parameter, str | None]]) -> list[Named]:
    return [(called(parameter.name), path) for parameter, path in files if path is not None]
