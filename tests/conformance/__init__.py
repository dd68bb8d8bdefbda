"""The official MCP conformance suite, run against Orchex's own server: ``make conformance``."""
