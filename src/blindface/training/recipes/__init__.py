"""How models are trained: each recipe its networks, losses and update, all behind `base.Recipe`."""
