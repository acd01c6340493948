"""Damaged and hostile input for every reader and every command: `python -m fuzz`, in the folder tests."""
