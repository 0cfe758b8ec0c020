"""Every way to index, with a bad index, on the adapter that is there: `python -m tests.support.index_faults`."""

from __future__ import annotations

import numpy as np

import graphc
from tests.runtime.test_index_faults import GOOD, KINDS, TABLE, numbers


def main() -> None:
    """Print a line a kind: that a good call gives what NumPy gives, and a bad one an error when it is read."""
    for name, kind in KINDS.items():
        compiled = graphc.compile(kind.fn, device="wgpu")
        wanted = graphc.compile(kind.fn, device="numpy")(TABLE, GOOD)
        found = [np.asarray(a) for a in graphc.tree.leaves(compiled(TABLE, GOOD))]
        for got, want in zip(found, graphc.tree.leaves(wanted), strict=True):
            np.testing.assert_allclose(got, want, rtol=2e-5, atol=1e-5)
        try:
            for leaf in graphc.tree.leaves(compiled(TABLE, numbers(kind.low, kind.at))):
                np.asarray(leaf)
        except graphc.IndexRangeError:
            print(f"{name}: told")


if __name__ == "__main__":
    main()
