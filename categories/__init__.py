"""Categories, the plugins that process rows: contract, registry, and those that ship."""
