"""What a process computes with; images are byte for byte the same only where it is the same."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import socket

from ..version import __version__


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of the packages that decide the bytes of an image."""
    packages = ("numba", "llvmlite", "numpy")
    return {"nbnumba": __version__, **{name: importlib.metadata.version(name) for name in packages}}


@functools.cache
def instruction_set(backend: str, device: int | None) -> str:
    """Name the processor or the GPU, such as `skylake-avx512/4f3a01bc`; the number stands for its instructions."""
    if backend == "cuda":
        from ..kernels.cuda import device as cuda_device

        gpu = cuda_device.choose(device)
        return f"{gpu.name}, compute capability {'.'.join(map(str, gpu.capability))}"
    import llvmlite.binding

    features = llvmlite.binding.get_host_cpu_features().flatten()
    return f"{llvmlite.binding.get_host_cpu_name()}/{hashlib.sha256(features.encode()).hexdigest()[:8]}"


def host() -> str:
    """Return the name of this machine."""
    return socket.gethostname()
