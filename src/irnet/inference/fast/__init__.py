"""Prediction on CPUs by OpenVINO (extra `fast`): graphs made once from the torch modules, then no torch."""
