"""The posterior mean."""
