"""Turn objects into page ranges: buffers, strides, runs, and blocks that split no huge page."""
