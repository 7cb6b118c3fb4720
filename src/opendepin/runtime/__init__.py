"""The doors to everything that is not deterministic: clock, chance, disk, net, children, logs.

No other package of the product imports `time`, `random`, `secrets`, `socket` or `subprocess`, so
that a whole network can be run again from a seed by handing in other doors. In: settings and bytes.
Out: effects on the world.
"""
