"""The paper's progressive WGAN-GP."""
