"""Generated Pap smears: pictures whose whole, amodal truth is known (docs/reference/generator.md)."""

from irnet.synthetic.smear import Patient, generate

__all__ = ["Patient", "generate"]
