"""Identity: who may speak for a project, at which block, by which key.

The registry contracts hold it; this room follows their events to a view of every device's key
history, checks each history against the contract's accumulator, and signs the permits that change
it.
"""
