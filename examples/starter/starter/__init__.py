"""The built-in graphs, `chat` and `report`, and the knowledge base of a fictional shop behind them."""
