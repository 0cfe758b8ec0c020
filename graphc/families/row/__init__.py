"""The row family: reductions over the last axes, with what surrounds them."""
