"""What can be done to a row? The contract, the registry, the categories that ship."""
