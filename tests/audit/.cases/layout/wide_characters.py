"""Wide characters stand before the await on its line."""


def load(text):
    return text


async def main_cjk():
    assert "漢字" + await load("仮名") == "漢字仮名"  # expect: await-sync  # fix: mechanical


async def main_emoji():
    assert "🎻🎻" + await load("🎺") == "🎻🎻🎺"  # expect: await-sync  # fix: mechanical


async def main_combining():
    assert "é" + await load("x") == "éx"  # expect: await-sync  # fix: mechanical
