import asyncio
import sys

sys.path.insert(0, "tests")

import app
import fakes

print(asyncio.run(app.use(fakes.Fake())))
