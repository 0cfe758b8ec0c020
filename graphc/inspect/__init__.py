"""What a compiled program is and does, for its reader: checks, explanations, profiles, pictures."""
