"""`pipeline-trace serve`: an OTLP receiver into the local store, and web pages over it. One process, one event loop.

``bodies`` and ``receiver`` turn bytes into spans, ``summary`` spans into a line of the list (all pure). ``writer`` is the
one thread that writes into the store; ``index``, ``listing`` and ``retention`` are the list of traces and what is kept.
``intake``, ``over_http``, ``over_grpc``, ``web`` and ``pages`` answer, behind ``guard`` and ``connection``; ``run`` is the
process.
"""
