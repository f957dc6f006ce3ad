"""Memory to come and its policies: empty(), bind(), touch(), collapse(), page_cache()."""
