"""Bytes in and out: sockets, frames, HTTP answers, rates and addresses.

A connection is websockets' Sans-I/O `ServerProtocol`, which does no input or output. What that is
fed, what it sends and every timer are decided by the phase, and each phase has one timer:

    phase    timer             bytes of the client         it goes on to
    -------  ----------------  --------------------------  --------------------------------------
    REQUEST  open_timeout_s    fed up to the blank line    ANSWER; REFUSED with 400, 408, 414, 431
    ANSWER   of the route      held                        OPEN with 101; REFUSED with another one
    REFUSED  close_timeout_s   thrown away                 its end
    OPEN     ping_interval_s,  messages for the listener   CLOSING with a close frame, of ours or
             ping_timeout_s                                theirs; its end without one
    CLOSING  close_timeout_s   fed for the close frame     its end

The first three are an `Opening`, the others a `Socket`, where a write has `write_timeout_s` beside
that. An end has three words: `close` starts the closing handshake and does not wait, `abort` drops
the connection at once, `Backend.drain` waits until what is pending has been delivered.
"""
