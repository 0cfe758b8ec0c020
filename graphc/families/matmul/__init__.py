"""The matmul family: products, with an epilogue."""
