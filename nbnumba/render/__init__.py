"""From an experiment to an image."""
