"""Tier T4: Trac, a real and unmodified application, in a process of its own. Its state is judged by SQL on its own database.

What it is: the tracker as its packagers publish it (`Trac`, BSD licence), asked over two pipes through its own WSGI entry point; an
environment directory a world, made ready for each episode by copying its database. What it is not: a fork, a mock, or anything with
a way to the internet. Read: base.py, server.py, process.py, contents.py, jobs.py, venue.py, oracle.py.
"""
