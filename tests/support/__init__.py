"""What several tests need: memory in a known place, a witness of where it is, other processes."""
