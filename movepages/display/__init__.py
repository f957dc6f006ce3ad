"""Draw data as SVG, HTML, matplotlib plots and text, without importing the classes shown."""
