"""Images in a browser: `nbnumba view`."""
