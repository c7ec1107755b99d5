import impl

load = impl.load
if impl.LATE:
    load = impl.later
