"""`nbnumba view`: images of a file or folder in a browser."""

from __future__ import annotations

import os
import sys
import webbrowser
from typing import Annotated

import typer

from ..errors import InputError
from ..parameters.parser import parse_with_files
from ..util.messages import say


def view(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|FOLDER",
            help="An image, a file of several, or a folder of them (of a batch, for example). Options as for rendering "
            "state the geometry of a file that does not; of a raw float image -detpixels_f and -detpixels_s the size.",
        ),
    ],
    port: Annotated[int, typer.Option("--port", metavar="N", help="Of this machine; 0: any that is free.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open a browser; the address is printed in any case.")] = True,
) -> None:
    """Show images in a browser: zoom, contrast, value, resolution and h k l under the pointer.

    The page comes from this machine alone, under an address that nobody else knows; it loads nothing from elsewhere.
    Ctrl-C ends it.

    Raises
    ------
    InputError, FileError
        For a mistake in the words, or a file or folder without an image.
    """
    from .frames import list_frames, read_frame
    from .server import ViewServer

    command, paths = parse_with_files(words)
    if len(paths) != 1:
        raise InputError(f"view: needs one file or folder, got {len(paths)}: {' '.join(paths) or 'none'}")
    frames = list_frames(paths[0])
    read_frame(frames[0], command)  # what is wrong with it is said here, not in the browser
    with ViewServer(frames, command, port) as server:
        say(f"{len(frames)} image{'s' if len(frames) > 1 else ''} at {server.address} (Ctrl-C ends)")
        if browser and _has_a_screen():
            webbrowser.open(server.address)
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            say("")


def _has_a_screen() -> bool:
    """Tell whether a browser could open a window: without a screen a text browser would take the terminal."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
