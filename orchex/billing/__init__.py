"""Plans as the operator wrote them, and who takes the payments."""
