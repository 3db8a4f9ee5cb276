"""Explains the terms of an event log."""
