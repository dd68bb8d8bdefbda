"""Reads the access log of a web server and tells what was slow."""
