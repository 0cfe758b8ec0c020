"""The map family: pointwise ops and index arithmetic."""
