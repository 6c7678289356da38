"""The packages of a wheel, which pyproject.toml cannot say: those of d3gzsl_jax/, and configs/ as d3gzsl_jax.configs."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["d3gzsl_jax", "d3gzsl_jax.*"]), "d3gzsl_jax.configs"],
    package_dir={"d3gzsl_jax.configs": "configs"},
)
