"""Writing at computed indices."""
