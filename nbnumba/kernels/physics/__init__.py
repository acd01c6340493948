"""The formulas of one sample, shared by the CPU, CUDA, and the trace."""
