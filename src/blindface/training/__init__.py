"""Training: data on the device, the flat loop, checkpoints, history. The door is `blindface.training.engine.train`."""
