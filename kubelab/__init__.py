"""kubelab: a real Kubernetes cluster on one machine, small lessons on it, and a proof of each of their statements."""
