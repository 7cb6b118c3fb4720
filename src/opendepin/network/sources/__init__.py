"""What a network is read from: one client per kind of source, over `Parts`."""
