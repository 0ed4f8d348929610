"""What the report is made from: files, read leniently, and what is computed from them once."""
