"""Random numbers: the C program's streams, and numbers counted by pixel."""
