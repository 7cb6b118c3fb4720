"""The modules of the network, one room each; no room imports another."""
