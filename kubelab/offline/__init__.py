"""The proof that nothing asks a network: a cluster from a bundle, where there is none and whoever tries is seen."""
