"""What DESIGN promises about speed, measured side by side with Temporal workflows written by hand."""
