"""The published file, and what may keep it from being published."""
