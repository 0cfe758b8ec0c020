"""A compiled program as plain data: where each tensor lies, what is launched, and the proofs about it."""
