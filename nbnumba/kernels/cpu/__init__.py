"""The pixel kernel of the CPU."""
