"""Clock, store and network of an ordinary computer."""
