"""The compiled core, and nothing else: every other fact about the package is in pyproject.toml."""

import os
from glob import glob

from pybind11.setup_helpers import ParallelCompile, Pybind11Extension
from setuptools import setup

# A user's compiler may warn about what ours does not know: strictness is for development only.
strict = ["-Wall", "-Wextra", "-Wconversion", "-Werror"] if os.environ.get("MOVEPAGES_DEV") else []

# One compiler for each CPU, or as many as the variable says, which packagers set for numpy too.
ParallelCompile("NPY_NUM_BUILD_JOBS").install()

setup(
    ext_modules=[
        Pybind11Extension(
            "movepages._core",
            # In this order binding/, which takes longest, is compiled first.
            sorted(glob("csrc/*/*.cpp")),
            depends=sorted(glob("csrc/*/*.hpp")),
            include_dirs=["csrc"],
            cxx_std=17,
            extra_compile_args=[*strict, "-pthread"],
            extra_link_args=["-pthread"],
        )
    ]
)
