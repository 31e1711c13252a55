-- WebShop's published reward of the first purchase (Yao et al. 2022, arXiv 2207.01206):
--   r = type * (matched attributes + matched options + price is right) / (attributes + options + 1)
-- type is 1 for the kind that was asked for, 0.5 for another of its department, 0.1 where only a word of the title fits, 0 else.
-- A purchase of several lines counts as its best line, divided by the number of lines. No row: nothing has been bought yet.
WITH bought AS (
    SELECT line.id, item.kind, item.department, item.title, item.cents, item.attributes
    FROM line JOIN shop.item AS item ON item.id = line.item
    WHERE line.purchase = (SELECT min(id) FROM purchase)
),
judged AS (
    SELECT
        CASE
            WHEN bought.kind = :kind THEN 1.0
            WHEN bought.department = :department THEN 0.5
            WHEN EXISTS (
                SELECT 1 FROM json_each(:attributes) AS asked
                WHERE instr(' ' || lower(bought.title) || ' ', ' ' || asked.value || ' ') > 0
            ) THEN 0.1
            ELSE 0.0
        END AS type,
        (SELECT count(*) FROM json_each(:attributes) AS asked
         WHERE asked.value IN (SELECT value FROM json_each(bought.attributes))) AS attributes,
        (SELECT count(*) FROM json_each(:options) AS asked
         WHERE EXISTS (SELECT 1 FROM choice WHERE choice.line = bought.id AND choice.name = asked.key AND choice.value = asked.value)
        ) AS options,
        bought.cents < :cents AS price
    FROM bought
)
SELECT
    max(type * (attributes + options + price)
        / ((SELECT count(*) FROM json_each(:attributes)) + (SELECT count(*) FROM json_each(:options)) + 1)) / count(*) AS reward
FROM judged
HAVING count(*) > 0;
