"""Run the `depin` command as `python -m opendepin.cli`."""

from opendepin.cli.entry import main

main()
