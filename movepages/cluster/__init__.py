"""Query and move the arrays of many processes: Dask workers and MPI ranks."""
