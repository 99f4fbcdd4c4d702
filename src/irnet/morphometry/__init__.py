"""Cells -> measurements: which nucleus belongs to which cell, and one row a cell."""
