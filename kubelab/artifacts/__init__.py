"""What a cluster is made of: listed, written down for scanners, and tidied away."""
