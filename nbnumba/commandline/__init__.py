"""The commands of the program `nbnumba`."""
