"""A fuzzer: random NumPy programs, run in every way that there is, and compared. `python -m tests.fuzz --help`."""
