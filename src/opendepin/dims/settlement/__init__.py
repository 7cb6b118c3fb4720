"""Settlement: opens tasks, has operators drawn, brings proofs to Layer 1, watches finality."""
