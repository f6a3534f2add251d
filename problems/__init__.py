"""Search spaces as pymoo problems, one module each."""
