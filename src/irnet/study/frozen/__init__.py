"""Rows beyond the paper, trained over one frozen network."""
