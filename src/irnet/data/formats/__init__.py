"""Formats of annotations: one file a format, each with its reader and, where there is one, its writer."""
