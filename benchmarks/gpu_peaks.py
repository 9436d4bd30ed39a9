"""What chips can do at most, by their names."""

from __future__ import annotations

import re

# Dense bf16 with 32-bit sums, TFLOP/s, from NVIDIA's data sheets. The first whose words are in the
# device's name counts.
PEAK_TFLOPS = {
    "A100": 312.0,
    "H100 PCIe": 756.0,
    "H100 NVL": 835.0,
    "H100": 989.0,
    "H200 NVL": 835.0,
    "H200": 989.0,
    "L4": 121.0,
    "RTX 4090": 165.0,
}


def peak_tflops_of(name: str) -> float | None:
    """Return the dense bf16 peak of a GPU by its name, None where it is not known."""
    fitting = (
        peak for chip, peak in PEAK_TFLOPS.items() if re.search(rf"\b{chip}\b(?! Laptop)", name)
    )
    return next(fitting, None)
