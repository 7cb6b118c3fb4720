"""Availability: batches are checked, attested, kept in chunks, sampled and read back."""
