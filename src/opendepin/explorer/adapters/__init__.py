"""Stores that the index can be kept in."""
