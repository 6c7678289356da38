"""Methods without synthesis that a generative one has to beat: fitted to real seen rows and semantics."""
