"""The family beside: kernels launched together."""
