"""Asking the kernel where pages are: where(), move_pages()."""
