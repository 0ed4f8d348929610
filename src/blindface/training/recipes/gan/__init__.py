"""A relativistic GAN from the posterior mean."""
