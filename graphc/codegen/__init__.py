"""Code generation that the kernel families share: WGSL for values at indices, operands, launches, rules."""
