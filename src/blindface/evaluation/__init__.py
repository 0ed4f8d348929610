"""Numbers about restored images: each method measured against the targets."""
