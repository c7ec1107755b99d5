import asyncio

from app import use
from retry import retried

print(asyncio.run(retried(use)))
