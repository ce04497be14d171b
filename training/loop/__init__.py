"""The training loop's parts: configuration, model, data, steps, validation, what a run leaves behind."""
