"""One builder per service: picks adapters, injects ports, runs until the stop."""
