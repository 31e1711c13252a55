"""The skill library: artifacts, evidence, admission, retrieval, composition, playback.

Knows the database (`memory`) and files, but no trainer and no environment. Read `artifact.py` (policies as JSON and
safetensors), `evidence.py` (success intervals), `embedder.py`, `library.py` (admission and retrieval).
"""
