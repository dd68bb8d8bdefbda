"""Every side effect of Orchex: one module or package per concern."""
