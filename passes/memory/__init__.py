"""Passes that decide what is alive when: the schedule, what is kept for gradients, what is computed again."""
