import asyncio

import app

try:
    asyncio.run(app.use())
except TypeError:
    print("synchronous")
else:
    raise SystemExit(1)
