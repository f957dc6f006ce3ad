"""How Sphinx builds these pages: sphinx-build -W --keep-going docs docs/_build."""

import sys
from pathlib import Path

import movepages

sys.path.insert(0, str(Path(__file__).parent))

project = "movepages"
author = "the movepages contributors"
version = release = movepages.__version__
copyright = author  # noqa: A001

extensions = ["enum_table", "myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "captured"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# The docstrings tell types in words.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
# What is in single backticks in the docstrings is a name; unknown ones are shown as code.
default_role = "py:obj"
autodoc_class_signature = "separated"
autodoc_default_options = {"exclude-members": "__init__,__new__"}
python_maximum_signature_line_length = 80

html_theme = "furo"
html_title = f"movepages {release}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_copy_source = False
