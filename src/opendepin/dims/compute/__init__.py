"""Off-chain compute: an operator reads the segments it was drawn for, computes, and proves."""
