# -*- coding: latin-1 -*-
"""Encoded as its first line says."""


def load():
    return "café"


async def main():
    assert "é" + await load() == "écafé"  # expect: await-sync  # fix: mechanical
