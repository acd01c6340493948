"""The experiment to be rendered, from the settings to the scene of the kernels."""
