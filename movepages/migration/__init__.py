"""move() and plan(): from targets to calls of the kernel."""
