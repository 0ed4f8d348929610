"""The metrics, one per module. docs/metrics.md holds the protocol of each; names carry the protocol.

Every image metric takes uint8 RGB stacks (N, H, W, 3), as NumPy arrays or torch tensors, so that a value is always
that of the picture a file would hold; it returns one float64 value per image on the device of the stack.
"""
