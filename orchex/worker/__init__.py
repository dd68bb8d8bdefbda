"""The worker: what it is made of, the Temporal workers in it, and its process."""
