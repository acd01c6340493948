"""Signals at random moments to batches on every engine: `python -m kills`, in the folder tests."""
