"""Tells the allocator to keep freed memory, rather than return it to the system at every step.

glibc takes large tensors from the system afresh and gives them back when they are freed; the
system clears each page anew. On CPU that took up to half of a training step.
"""

from __future__ import annotations

import ctypes
import platform

# glibc, malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4


def keep_freed_memory() -> bool:
    """Have this process reuse freed memory; return whether its C library can.

    The process then stays as large as it was at its largest. Only glibc is asked (Linux): other
    systems' allocators keep memory by themselves or have no such switch.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    never_from_the_system = bool(mallopt(_M_MMAP_MAX, 0))
    never_back_to_it = bool(mallopt(_M_TRIM_THRESHOLD, -1))
    return never_from_the_system and never_back_to_it
