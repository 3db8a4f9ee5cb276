"""What the functions share. Imports no function, no langgraph and no langchain."""
