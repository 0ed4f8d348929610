"""What is told about a training: never a reason to train anew."""
