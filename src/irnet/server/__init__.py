"""The viewer's server: what was found, looked at and corrected in a browser (extra `view`)."""
