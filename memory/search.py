"""Full-text search over skills: FTS5 on SQLite, tsvector on PostgreSQL. Kept in step by the database itself.

Any text is safe: only its letters and digits reach the database, each word as a quoted term, joined by OR.
"""

from __future__ import annotations

import re

from sqlalchemy import text as sql
from sqlmodel import Session

_MAX_WORDS = 32
_WORD = re.compile(r"[^\W_]+")
_SQLITE = """
    SELECT skill_id, -bm25(skill_words, 0.0, 4.0, 2.0, 1.0) AS score
    FROM skill_words WHERE skill_words MATCH :query ORDER BY score DESC, skill_id LIMIT :limit
"""
_VECTOR = (
    "to_tsvector('english'::regconfig,"
    " regexp_replace(name || ' ' || description || ' ' || family, '[^[:alnum:]]+', ' ', 'g'))"
)


def search_words(session: Session, text: str, limit: int = 50) -> list[tuple[str, float]]:
    """Find skills whose name, description or family has words of `text`: (skill id, score), best first.

    Scores order the answers of one query; they are not comparable between queries or databases.
    """
    words = split_words(text)
    if not words or limit < 1:
        return []
    if session.get_bind().dialect.name == "sqlite":
        query = " OR ".join(f'"{word}"' for word in words)
        rows = session.execute(sql(_SQLITE), {"query": query, "limit": limit})
    else:
        terms = " || ".join(f"plainto_tsquery('english', :w{i})" for i in range(len(words)))
        statement = f"""
            SELECT id, ts_rank({_VECTOR}, {terms}) AS score FROM skill
            WHERE {_VECTOR} @@ ({terms}) ORDER BY score DESC, id LIMIT :limit
        """
        rows = session.execute(sql(statement), {"limit": limit, **{f"w{i}": word for i, word in enumerate(words)}})
    return [(str(skill_id), float(score)) for skill_id, score in rows]


def split_words(text: str) -> list[str]:
    """Distinct words of `text` in order (letters and digits only, lower case), at most 32."""
    return list(dict.fromkeys(word.lower() for word in _WORD.findall(text)))[:_MAX_WORDS]
