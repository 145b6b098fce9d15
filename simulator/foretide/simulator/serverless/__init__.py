"""Many models that mostly wait, on a grid of minutes: who is kept warm, and whose requests wait. Simulated."""
