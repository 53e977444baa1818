"""Runs `pipeline-trace serve`: receives OTLP into the store, and shows web pages. It is one process with one event loop.

``bodies`` and ``receiver`` turn bytes into spans, ``records`` turns them into open spans, ``summary`` and ``sketch`` turn
spans into a line of the list; none of them does I/O. ``writer`` is the only thread that writes to the store. ``index``,
``backlog``, ``listing`` and ``retention`` keep the list of traces and remove old ones; ``running`` follows what runs now on
this machine, ``opened`` on others. ``intake``, ``over_http``, ``over_grpc``, ``web``, ``pages`` and ``health`` answer
requests that ``guard`` (with ``trusted``) and ``connection`` let through. ``run`` starts and stops the process.
"""
