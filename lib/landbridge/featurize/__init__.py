"""Events in, examples and user states out: what every user had done before each moment, and nothing after it."""
