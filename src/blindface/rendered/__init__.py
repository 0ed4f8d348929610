"""The embedded set: invented faces, rendered with their 68 landmarks known exactly.

A head is a radius in every direction: an ellipsoid with a jaw, a nose, sockets and lips modelled on it, a texture
painted through the landmarks' own places, and hair as a second shell. It is turned, ray-cast, lit and photographed.
No photograph of a person went into it.
"""

from blindface.rendered.archive import write_archive
from blindface.rendered.render import Rendered, render_photograph
from blindface.rendered.traits import person_name

__all__ = ["Rendered", "person_name", "render_photograph", "write_archive"]
