"""The contracts' sources, by noun, with their interfaces and shared modules.

`sources` names them and what an artifact of them is called; `compile` makes artifacts.
"""
