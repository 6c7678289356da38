"""Runs that are killed, spread over devices and processes."""
