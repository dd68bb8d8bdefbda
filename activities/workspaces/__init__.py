"""Private git workspaces: snapshot a project, edit it in a checkout of its own, land the result whole or not at all."""
