import asyncio
import sys

sys.path.insert(0, "scripts")

from run_it import start

print(asyncio.run(start()))
