"""The device "numpy": programs run on the host."""
