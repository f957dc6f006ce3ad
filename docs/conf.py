"""How Sphinx builds these pages: sphinx-build -W --keep-going docs docs/_build."""

import movepages

project = "movepages"
author = "the movepages contributors"
version = release = movepages.__version__
copyright = author  # noqa: A001

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "captured"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# The docstrings tell types in words.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
python_maximum_signature_line_length = 80

html_theme = "furo"
html_title = f"movepages {release}"
html_static_path = ["_static"]
html_css_files = ["narrow.css"]
html_copy_source = False
