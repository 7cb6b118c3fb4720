"""Identity: permits for the device registry, and the view of every device's key history."""
