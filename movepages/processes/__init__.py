"""Other processes: list their memory, move it, and bring it together with their threads."""
