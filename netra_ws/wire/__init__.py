"""Bytes in and out: sockets, frames, HTTP answers, rates and addresses."""
