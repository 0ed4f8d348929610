"""What the report calls metrics and sources of photographs."""

from __future__ import annotations

MEANINGS = {
    "psnr": "how near every pixel is to the original, in decibels; 1 dB more is 21 % less squared error",
    "ms_ssim": "how well structures agree with the original at several sizes; 1 is identical",
    "ssim": "how well structures agree with the original; 1 is identical",
    "lpips": "how different two images look to a network that was fitted to people's judgement; 0 is identical",
    "niqe": "how far an image's texture is from that of natural photographs; it never sees the original",
    "fid": "how far all restored images together are from all originals, in the features of a network; 0 is identical",
    "frechet": "how far all restored faces together are from all originals, in the features of a face network",
    "identity": "whether a face network takes both for the same person; 1 is the same face",
    "landmark_distance": "how far eyes, nose and mouth are from where they are in the original; 0 is in place",
    "high_frequency_error": "how far the amount of fine detail is from the original's, in doublings; 0 is as much",
}
"""What a metric means in plain words, by the beginning of its name."""


def meaning_of(name: str) -> str:
    """A metric's meaning in plain words; empty for one that is not known."""
    return next((text for start, text in MEANINGS.items() if name.startswith(start)), "")


SOURCES = {
    "lfw": "LFW, 250×250",
    "lfw-150": "LFW, the originals at 150×150",
    "lfw-deepfunneled": "LFW, deep-funnelled",
    "folder": "a folder of photographs",
    "embedded": "the embedded set of rendered faces",
}
"""Labels of `fetch.source`."""
TITLES = {
    "lfw": "LFW",
    "lfw-150": "LFW (150×150)",
    "lfw-deepfunneled": "LFW (deep-funnelled)",
    "folder": "own photographs",
    "embedded": "rendered faces",
}
"""The same in a title."""
