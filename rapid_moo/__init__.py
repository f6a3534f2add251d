"""Hardware-aware neural architecture search with few evaluations, as a pymoo plugin."""
