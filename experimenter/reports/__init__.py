"""Reports: one self-contained HTML page a session, made from the database and the job folders; reads, never writes rows.

Read `facts.py` (rows -> what the page says), `figures.py` (curves as SVG, films), `page.py` (the page), `page.html.j2`.
"""
