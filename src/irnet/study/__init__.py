"""The paper's comparison, repeated: Tables 1 and 2 and Figure 3 on any annotated set."""
