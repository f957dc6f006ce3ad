"""Data in, picture or table out: SVG, HTML, matplotlib, text. It knows no class of the model."""
