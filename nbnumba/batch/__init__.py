"""Many images of one experiment, each drawn anew: `nbnumba batch`."""
