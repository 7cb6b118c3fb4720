"""The demo: real recorded air-quality readings, replayed through a real network."""
