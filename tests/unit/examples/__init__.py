"""The projects in `examples/`, as the worker loads and runs them."""
