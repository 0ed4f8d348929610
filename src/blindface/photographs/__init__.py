"""From any source of photographs to one archive, and from the archive to targets of one size."""
