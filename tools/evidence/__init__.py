"""What D3 is worth: runs kept as small files, compared with their base methods, tabled and drawn. See docs/results.md."""
