"""Run the `depin` command as `python -m opendepin.cli`."""

from opendepin.cli.app import main

main()
