import asyncio

from core.base import shut
from extra.late import Late

print(asyncio.run(shut(Late())))
