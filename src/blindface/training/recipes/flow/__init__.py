"""A rectified flow from the posterior mean."""
