"""What requests bring and answers hold, where the domain has no document for it."""
