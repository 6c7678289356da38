"""How the embedded digits' settings and the new digit were made."""
