"""Build the compiled core; all other settings of the package are in pyproject.toml."""

import os
from glob import glob

from pybind11.setup_helpers import ParallelCompile, Pybind11Extension
from setuptools import setup

# A user's compiler may have warnings that ours lacks, so warnings are errors in development only.
strict = ["-Wall", "-Wextra", "-Wconversion", "-Werror"] if os.environ.get("MOVEPAGES_DEV") else []

# Run one compiler per CPU, or as many as this variable says; packagers set it for numpy, too.
ParallelCompile("NPY_NUM_BUILD_JOBS").install()

setup(
    ext_modules=[
        Pybind11Extension(
            "movepages._core",
            # Sorted paths start with binding/, which takes longest to compile.
            sorted(glob("csrc/*/*.cpp")),
            depends=sorted(glob("csrc/*/*.hpp")),
            include_dirs=["csrc"],
            cxx_std=17,
            extra_compile_args=[*strict, "-pthread"],
            extra_link_args=["-pthread"],
        )
    ]
)
