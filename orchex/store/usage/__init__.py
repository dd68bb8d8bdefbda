"""Usage in the store: counted with the journal, held against the quota, closed month by month, and checked."""
