"""Queries of the kernel for the nodes of pages: where(), move_pages()."""
