"""The systems that IRNet is compared with: JOMLS and CSPNet."""
