"""How NumPy code becomes a graph: traced arrays, dtype rules, and what each NumPy function is made of."""
