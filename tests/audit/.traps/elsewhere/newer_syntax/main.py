import asyncio

from base import shut
from late import Late

print(asyncio.run(shut(Late())))
