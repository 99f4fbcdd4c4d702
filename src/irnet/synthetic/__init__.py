"""Generated Pap smears: pictures whose whole, amodal truth is known (docs/reference/generator.md)."""

from irnet.synthetic.compose import Cutout, compose, cut_out
from irnet.synthetic.sets import generate_set
from irnet.synthetic.smear import Patient, generate

__all__ = ["Cutout", "Patient", "compose", "cut_out", "generate", "generate_set"]
