"""Restored images: the methods of the table and how each restores."""
