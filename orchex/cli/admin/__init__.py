"""``orchex admin``: what the operator does on the server itself, straight in its database."""
