"""Reference images of other programs, made outside; see the README beside them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent.parent


def folder() -> Path:
    """Return where the oracles are; NBNUMBA_ORACLES names another folder."""
    explicit = os.environ.get("NBNUMBA_ORACLES")
    return Path(explicit) if explicit else ROOT.parent / "shared" / "oracles"


def names(kind: str) -> list[str]:
    """Return the names of the cases of one kind, none where there are no oracles."""
    return sorted(path.stem for path in (folder() / kind).glob("*.npz"))


def load(kind: str, name: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the parameters and the arrays of a case."""
    with np.load(folder() / kind / f"{name}.npz") as data:
        arrays = {key: data[key] for key in data.files if key != "params"}
        return json.loads(str(data["params"])), arrays
