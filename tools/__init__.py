"""Recipes and tools of the project: phones, prompts, the demonstration model, benchmarks."""
