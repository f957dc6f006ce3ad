"""From objects to page ranges: buffers, strides, runs, blocks that cut no huge page."""
