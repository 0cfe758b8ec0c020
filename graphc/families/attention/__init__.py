"""The attention family: attention and its gradient."""
