"""Orchex for models: tools, resources and tasks of the Model Context Protocol, over stdio and over HTTP."""
