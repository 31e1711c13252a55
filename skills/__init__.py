"""The skill library: artifacts, evidence, admission, retrieval, composition, playback.

Knows the database (`memory`) and files, but no trainer and no environment. Read `artifact.py` (policies as JSON and
safetensors), `evidence.py` (success intervals), `skill.py` (the record and what it takes), `library.py` (admission and search, over
`shelf.py`, `embedder.py` and `retrieval.py`), `export.py` with `play.py`, `options.py` (sequences of skills).
"""
