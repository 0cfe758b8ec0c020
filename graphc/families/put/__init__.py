"""One row of a stack, written in place."""
