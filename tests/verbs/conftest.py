"""Circles to train on and to find, for the tests of this wing."""

from toy_scene import blobs, blobs_installed, circles, tiny

__all__ = ["blobs", "blobs_installed", "circles", "tiny"]
