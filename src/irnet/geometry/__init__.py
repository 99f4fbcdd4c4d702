"""Pure geometry of boxes, masks and polygons: NumPy in, NumPy out."""
