"""The `depin` command."""
