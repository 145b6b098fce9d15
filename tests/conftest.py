"""Fixtures shared by all tests, and how hypothesis runs."""

from hypothesis import settings

pytest_plugins = ("bed",)

# Speed is measured by benchmarks; a busy machine must not fail a property. The same code gets the same verdict every
# time; `make explore` looks elsewhere, and what it finds becomes a test with a name.
settings.register_profile("house", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile("house")
