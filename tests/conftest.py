"""Fixtures shared by all tests, and how hypothesis runs."""

from hypothesis import settings

pytest_plugins = ("bed",)

# Speed is measured by benchmarks; a busy machine must not fail a property.
settings.register_profile("house", deadline=None)
settings.load_profile("house")
