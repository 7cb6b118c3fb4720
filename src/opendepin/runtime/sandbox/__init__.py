"""The door to code that is not ours: a project's Python runs here, walled in by the kernel.

`run` starts a child and reads what it answers; `child` is the child's first code, which puts up the
`walls` (namespaces, mounts, landlock, limits), closes the `syscalls` and sets the `watch` that
gives a refused attempt its name. In: a function of ours by name, a JSON argument, the project's
folder. Out: a JSON value of bounded size, or one sentence that says what was stopped.
"""
