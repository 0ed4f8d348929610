"""What knows nothing of faces: files, images, randomness, devices, errors."""
