"""Training: what decides the weights (recipes, data), how a run is kept (session), what is told (monitor)."""
