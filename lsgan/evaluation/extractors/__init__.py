"""Where features come from: one module an extractor, and one YAML of the group `features`."""
