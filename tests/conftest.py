"""Fixtures shared by all tests, and how hypothesis runs."""

from os import environ

from hypothesis import HealthCheck, settings

pytest_plugins = ("bed",)

# Speed is measured by benchmarks; a busy machine must not fail a property. The same code gets the same verdict every
# time; `make explore` looks elsewhere, and what it finds becomes a test with a name.
settings.register_profile("house", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, print_blob=True)
FUZZ = int(environ.get("FUZZ", "10000"))
settings.register_profile(
    "fuzz", deadline=None, max_examples=FUZZ, database=None, print_blob=True, suppress_health_check=list(HealthCheck)
)
settings.load_profile("house")
