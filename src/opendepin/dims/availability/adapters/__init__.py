"""What fills the ports of the availability room."""
