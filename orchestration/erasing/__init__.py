"""Erases people who ask to be forgotten, and rotates the pseudonym key."""
