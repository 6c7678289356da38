"""D3: a frozen teacher, a student trained beside the generator, and the terms that join them (arXiv 2402.11424)."""
