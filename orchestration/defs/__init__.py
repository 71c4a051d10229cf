"""Dagster: assets, checks, jobs, sensors, schedules, resources. Wiring only."""
