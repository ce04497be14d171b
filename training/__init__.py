"""Offline training tools, run from the checkout; torch lives here."""

import importlib.util

if importlib.util.find_spec("triton"):
    # PyTorch's CUDA builds import it late. Once Mesa's software renderer has brought its own LLVM into the process
    # (the simulator does), that import ends in a segmentation fault; the other way round both work.
    import triton  # noqa: F401
