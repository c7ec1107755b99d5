def install(where):
    exec("async def " + "lo" + "ad(): return 2", where)
