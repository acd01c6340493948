"""The pixel kernel of NVIDIA GPUs."""
