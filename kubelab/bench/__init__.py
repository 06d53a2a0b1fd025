"""What kubelab costs: measured beside what one would type without it, in pairs, in one run.

Python calls docker, kind and kubectl here as nowhere else: they are what is measured.
"""
