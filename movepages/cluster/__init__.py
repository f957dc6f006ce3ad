"""Placements of many processes: Dask workers, MPI ranks."""
