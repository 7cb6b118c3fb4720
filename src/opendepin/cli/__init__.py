"""The `depin` command."""

from opendepin.cli.app import main

__all__ = ["main"]
