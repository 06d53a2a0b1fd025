"""Bundles: one file with all that a machine without a network needs."""
