"""Scenes of command lines."""

from __future__ import annotations

import contextlib
from pathlib import Path

import goldens

from nbnumba.experiment.resolve import resolve
from nbnumba.experiment.scene import build_scene
from nbnumba.kernels.scene import Scene
from nbnumba.parameters.parser import parse


def scene_of(line: str, folder: Path) -> Scene:
    """Return the scene of a command line, worked out in a folder that receives copies of the golden inputs."""
    goldens.copy_inputs(folder)
    with contextlib.chdir(folder):
        return build_scene(resolve(parse([*line.split(), "-nodump"]).settings))
