"""A builder's own project: a folder with `depin.toml` and a rule, from scaffold to settled task.

In: the folder. Out: a circuit, what it gives over sample data, and a registered, served project.
The folder's Python runs in the sandbox only, and what comes out of it is data that is checked.
"""
