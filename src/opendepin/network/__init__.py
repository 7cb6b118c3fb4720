"""The composition root: builds a network from settings and picks every adapter."""
