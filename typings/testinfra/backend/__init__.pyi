BACKENDS: dict[str, str]
