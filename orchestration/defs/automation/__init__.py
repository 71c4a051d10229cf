"""The job `rebuild`, and what starts it."""
