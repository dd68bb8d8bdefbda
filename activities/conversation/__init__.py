"""What is said between Orchex and a model: prompts, the transcript, answers on record, and what tools answer."""
