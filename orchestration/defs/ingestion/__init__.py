"""Raw tables and the checks of what was loaded."""
