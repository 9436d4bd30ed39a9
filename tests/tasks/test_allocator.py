"""Freed memory is used again."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import torch
from mashnet.tasks.allocator import keep_freed_memory

def faults():
    torch.ones(4, dtype=torch.float32)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        torch.zeros(16_000_000).add_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
untouched = faults()
assert keep_freed_memory()
faults()
print(untouched, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked")
def test_a_freed_tensor_s_pages_are_not_fetched_anew():
    # In a process of its own: the setting stays for a process's life.
    out = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    ).stdout
    untouched, kept = (int(part) for part in out.split())
    # 5 tensors of 64 MB: 78,125 pages of 4 KiB where each is fetched anew.
    assert untouched > 100  # (few where the system hands out huge pages)
    assert kept < untouched / 10
