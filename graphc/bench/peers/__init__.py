"""PyTorch and tinygrad running the benchmarks' programs, for comparison. They are never needed, only measured.

Each peer runs in a process of its own, which may belong to another Python environment: `child` serves there,
`with_torch` and `with_tinygrad` are what it serves, written over `programs`. None of these imports graphc. `process` is
the side that graphc holds.
"""

from __future__ import annotations

from graphc.bench.peers.process import NAMES, Peer, PeerProgram, Peers, find

__all__ = ["NAMES", "Peer", "PeerProgram", "Peers", "find"]
