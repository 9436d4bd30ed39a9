"""Whether an index that was read from a file is one that mashnet makes, and whole.

FAISS believes what a file says; what is searched must not read beyond what is there.
"""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np


def require_whole(index: Any, count: int, *, most_factor: float) -> None:
    """Raise a ValueError unless an index is one that `VectorIndex.build` makes of `count` vectors.

    What is looked at is all that decides where a search reads, and how much: the kinds of its
    parts, their sizes, the ids in its lists, and what `_tune` sets.
    """
    if index.ntotal != count:
        raise ValueError(f"it holds {index.ntotal} vectors, not {count}")
    if isinstance(index, faiss.IndexFlatIP):
        if index.codes.size() != count * index.code_size or index.code_size != 4 * index.d:
            raise ValueError("it lacks vectors")
        return
    if not isinstance(index, faiss.IndexRefine):
        raise ValueError("it is no index that mashnet makes")
    lists: Any = faiss.downcast_index(index.base_index)
    kept: Any = faiss.downcast_index(index.refine_index)
    coarse: Any = faiss.downcast_index(lists.quantizer)
    kinds = (
        (lists, faiss.IndexIVFPQFastScan),
        (kept, faiss.IndexScalarQuantizer),
        (coarse, faiss.IndexFlat),
    )
    if any(not isinstance(part, kind) for part, kind in kinds):
        raise ValueError("it is no index that mashnet makes")
    # Each query gets an array of the lists that are looked into, and one of the candidates.
    if not 1 <= lists.nprobe <= lists.nlist:
        raise ValueError(f"it looks into {lists.nprobe} of {lists.nlist} lists")
    if not 1 <= index.k_factor <= most_factor:  # nor is it NaN
        raise ValueError(f"it compares {index.k_factor:g} times as many candidates anew")
    if any(part.d != index.d for part, _ in kinds) or kept.ntotal != count:
        raise ValueError("its parts do not belong together")
    if kept.code_size != 2 * kept.d or kept.codes.size() != count * kept.code_size:
        raise ValueError("it lacks vectors")
    if coarse.ntotal != lists.nlist or coarse.codes.size() != lists.nlist * 4 * coarse.d:
        raise ValueError("it lacks lists")
    inverted, seen = lists.invlists, np.zeros(count, bool)
    if inverted.nlist != lists.nlist:
        raise ValueError("it lacks lists")
    for number in range(inverted.nlist):
        length = inverted.list_size(number)
        if length > count:
            raise ValueError("its lists are too long")
        if length:
            ids = faiss.rev_swig_ptr(inverted.get_ids(number), length)
            if ids.min() < 0 or ids.max() >= count:
                raise ValueError("it names vectors that it does not hold")
            seen[ids] = True
    if not seen.all():
        raise ValueError("it does not name every vector")
