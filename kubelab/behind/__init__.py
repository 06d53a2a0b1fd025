"""The proof that a company's proxy and authority are enough, and that the cluster is not asked through the proxy."""
