"""Passes that give the same values with less: rewriting rules, constants, duplicates, what nobody reads."""
