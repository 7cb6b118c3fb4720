"""Ground: the pure values and functions every room shares. No I/O, no clock, no chance."""
