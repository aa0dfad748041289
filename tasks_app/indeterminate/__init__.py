"""What becomes of rows of which nobody knows whether they happened? People decide (ADR 13)."""
