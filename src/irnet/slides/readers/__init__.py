"""Readers of slides: the files of scanners, one door to all of them (`opening.open_slide`)."""
