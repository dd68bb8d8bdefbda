"""Adds up invoices, to the cent."""
