"""Render the example image: `python -m nbnumba.example [FOLDER]`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from .. import cli
from . import COMMANDS, INPUT_FILES, WRITES


def main(arguments: list[str]) -> int:
    """Copy the input files into a folder, render there, and say which commands did it.

    Returns
    -------
    int
        The exit status of `nbnumba`; 2 for a wrong number of arguments, 3 when the folder cannot be written.
    """
    if len(arguments) > 1 or any(word.startswith("-") for word in arguments):
        print("usage: python -m nbnumba.example [FOLDER]", file=sys.stderr)
        return 2
    folder = Path(arguments[0] if arguments else "example-output").resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in INPUT_FILES:
            (folder / name).write_bytes((Path(__file__).parent / name).read_bytes())
        os.chdir(folder)  # so that the commands below can be typed as they are shown
    except OSError as error:
        print(f"nbnumba: cannot write the example into {folder}: {error.strerror}", file=sys.stderr)
        return 3
    for command in COMMANDS:
        status = cli.main(command.split())
        if status != 0:
            return status
    lines = "\n".join(f"    nbnumba {command}" for command in COMMANDS)
    print(f"\nThese were, in {folder}:\n\n{lines}\n\nThey wrote")
    for name, content in WRITES.items():
        print(f"    {folder / name}: {content}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
