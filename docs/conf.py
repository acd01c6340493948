"""Settings of Sphinx; `sphinx-build -W docs FOLDER` makes the pages. What is generated goes into docs/generated/."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from nbnumba.version import __version__  # noqa: E402

project = "nbnumba"
author = "The nbnumba authors"
project_copyright = author
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4
exclude_patterns = ["**/.ipynb_checkpoints"]
source_suffix = {".md": "markdown"}
html_theme = "furo"
html_title = f"nbnumba {release}"
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_rtype = False
# Pages outside docs/ are linked to as files of the repository, which the site does not hold.
suppress_warnings = ["myst.xref_missing"]


def setup(app: Any) -> None:
    """Write the generated pages before Sphinx looks for sources."""
    import gallery
    import reference

    def generate(_app: Any) -> None:
        folder = HERE / "generated"
        folder.mkdir(exist_ok=True)
        reference.write(folder)
        gallery.write(folder)

    app.connect("builder-inited", generate)
