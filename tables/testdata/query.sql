-- list: sqlite
SELECT concat('[', group_concat(concat('{"id":"', x.c0, '","title":', json_quote(x.c1), ',"price":', coalesce(x.c2, 'null'), ',"gross":', coalesce(x.c3, 'null'), '}')), ']') AS a
FROM (SELECT "t0"."id" AS "c0", "t0"."title" AS "c1", "t0"."price" AS "c2", decimal_fit(decimal_mul("t0"."price", ?), 12, 2) AS "c3"
FROM "product" AS t0
WHERE TRUE AND ((("t0"."owner_id" = ?) OR FALSE) OR ("t0"."unit_id" = ?)) AND "t0"."price" > ?
ORDER BY "t0"."title" DESC, "t0"."id" LIMIT 50 OFFSET ?) AS x
-- 1.19
-- 00000000-0000-7000-8000-000000000000
-- 00000000-0000-7000-8000-000000000001
-- 1.5
-- 20

-- list: postgres
SELECT "t0"."id" AS "c0", "t0"."title" AS "c1", "t0"."price" AS "c2", nullif(nullif(greatest(least(round((("t0"."price" * $1::numeric))::numeric, 2), 1e10), -1e10), 1e10), -1e10) AS "c3"
FROM (SELECT t0.*
FROM "product" AS t0
WHERE TRUE AND ((("t0"."owner_id" = $2::uuid) OR FALSE) OR ("t0"."unit_id" = $3::uuid)) AND "t0"."price" > $4 OFFSET 0) AS t0
ORDER BY "t0"."title" DESC, "t0"."id" LIMIT 50 OFFSET $5
-- 1.19
-- 00000000-0000-7000-8000-000000000000
-- 00000000-0000-7000-8000-000000000001
-- 1.5
-- 20

-- by id: sqlite
SELECT concat('{"id":"', "t0"."id", '","code":', json_quote("t0"."code"), '}') AS a
FROM "shop" AS t0
WHERE TRUE AND "t0"."id" = ? LIMIT 1
-- 01900000-0000-7000-8000-000000000001

-- by id: postgres
SELECT "t0"."id" AS "c0", "t0"."code" AS "c1"
FROM "shop" AS t0
WHERE TRUE AND "t0"."id" = $1 LIMIT 1
-- 01900000-0000-7000-8000-000000000001

-- hidden and guarded: sqlite
SELECT concat('[', group_concat(concat('{"cost":', coalesce(x.c0, 'null'), ',"stock":', coalesce(x.c1, 'null'), '}')), ']') AS a
FROM (SELECT NULL AS "c0", CASE WHEN (("t0"."owner_id" = ?) OR FALSE) THEN "t0"."stock" END AS "c1"
FROM "product" AS t0
WHERE TRUE AND ((("t0"."owner_id" = ?) OR FALSE) OR ("t0"."unit_id" = ?)) AND CASE WHEN (("t0"."owner_id" = ?) OR FALSE) THEN "t0"."stock" END IN (SELECT value
FROM json_each(?))
ORDER BY CASE WHEN (("t0"."owner_id" = ?) OR FALSE) THEN "t0"."stock" END NULLS LAST, "t0"."id" LIMIT 100) AS x
-- 00000000-0000-7000-8000-000000000000
-- 00000000-0000-7000-8000-000000000000
-- 00000000-0000-7000-8000-000000000001
-- 00000000-0000-7000-8000-000000000000
-- [1,2,3]
-- 00000000-0000-7000-8000-000000000000

-- hidden and guarded: postgres
SELECT NULL AS "c0", CASE WHEN (("t0"."owner_id" = $1::uuid) OR FALSE) THEN "t0"."stock" END AS "c1"
FROM (SELECT t0.*
FROM "product" AS t0
WHERE TRUE AND ((("t0"."owner_id" = $2::uuid) OR FALSE) OR ("t0"."unit_id" = $3::uuid)) AND CASE WHEN (("t0"."owner_id" = $4::uuid) OR FALSE) THEN "t0"."stock" END = ANY($5::text[]::bigint[]) OFFSET 0) AS t0
ORDER BY CASE WHEN (("t0"."owner_id" = $6::uuid) OR FALSE) THEN "t0"."stock" END, "t0"."id" LIMIT 100
-- 00000000-0000-7000-8000-000000000000
-- 00000000-0000-7000-8000-000000000000
-- 00000000-0000-7000-8000-000000000001
-- 00000000-0000-7000-8000-000000000000
-- [1 2 3]
-- 00000000-0000-7000-8000-000000000000

-- conditions: sqlite
SELECT concat('[', group_concat(concat('{"id":"', x.c0, '"}')), ']') AS a
FROM (SELECT "t0"."id" AS "c0"
FROM "product" AS t0
WHERE TRUE AND ((("t0"."owner_id" = ?) OR FALSE) OR ("t0"."unit_id" = ?)) AND ((text_ilike("t0"."title", ?) OR text_like("t0"."title", ?)) AND NOT ("t0"."price" BETWEEN ? AND ?) AND NOT ("t0"."sku" IN (SELECT value
FROM json_each(?))) AND "t0"."shop_id" IS NOT NULL)
ORDER BY "t0"."id" LIMIT 100) AS x
-- 00000000-0000-7000-8000-000000000000
-- 00000000-0000-7000-8000-000000000001
-- %tea%
-- 50\%%
-- 1
-- 2
-- ["a","b"]

-- conditions: postgres
SELECT "t0"."id" AS "c0"
FROM (SELECT t0.*
FROM "product" AS t0
WHERE TRUE AND ((("t0"."owner_id" = $1::uuid) OR FALSE) OR ("t0"."unit_id" = $2::uuid)) AND ((lower(("t0"."title") COLLATE "default") LIKE lower(($3) COLLATE "default") OR "t0"."title" LIKE $4) AND NOT ("t0"."price" BETWEEN $5 AND $6) AND NOT ("t0"."sku" = ANY($7::text[])) AND "t0"."shop_id" IS NOT NULL) OFFSET 0) AS t0
ORDER BY "t0"."id" LIMIT 100
-- 00000000-0000-7000-8000-000000000000
-- 00000000-0000-7000-8000-000000000001
-- %tea%
-- 50\%%
-- 1
-- 2
-- [a b]

-- nested: sqlite
SELECT concat('[', group_concat(concat('{"id":"', x.c0, '","shop":', coalesce(x.c1, 'null'), ',"purchases":', x.c2, ',"total":', x.c3, '}')), ']') AS a
FROM (SELECT "t0"."id" AS "c0", (SELECT concat('{"code":', json_quote("t1"."code"), '}') AS a
FROM "shop" AS t1
WHERE "t1"."id" = "t0"."shop_id" LIMIT 1) AS "c1", (SELECT concat('[', group_concat(concat('{"amount":', coalesce(x.c0, 'null'), ',"note":', coalesce(x.c1, 'null'), '}')), ']') AS a
FROM (SELECT "t2"."amount" AS "c0", "t2"."note" AS "c1"
FROM "purchase" AS t2
WHERE "t0"."id" = "t2"."product_id" AND ((("t2"."owner_id" = ?) OR FALSE) AND ("t2"."amount" > ?))
ORDER BY "t2"."at" DESC, "t2"."id" LIMIT 3) AS x) AS "c2", (SELECT concat('{"sum":', coalesce(a.a0, 'null'), '}') AS a
FROM (SELECT sum(r.v0) AS a0
FROM (SELECT 1 AS one, "t3"."amount" AS v0
FROM "purchase" AS t3
WHERE "t0"."id" = "t3"."product_id" AND ((("t3"."owner_id" = ?) OR FALSE) AND ("t3"."amount" > ?))) AS r) AS a) AS "c3"
FROM "product" AS t0
WHERE TRUE AND ((("t0"."owner_id" = ?) OR FALSE) OR ("t0"."unit_id" = ?))
ORDER BY "t0"."id" LIMIT 100) AS x
-- 00000000-0000-7000-8000-000000000000
-- 0
-- 00000000-0000-7000-8000-000000000000
-- 0
-- 00000000-0000-7000-8000-000000000000
-- 00000000-0000-7000-8000-000000000001

-- nested: postgres
SELECT "t0"."id" AS "c0", (SELECT row_to_json(x)
FROM (SELECT "t1"."code" AS "code"
FROM "shop" AS t1
WHERE "t1"."id" = "t0"."shop_id" LIMIT 1) AS x) AS "c1", (SELECT coalesce(json_agg(row_to_json(x)), '[]')
FROM (SELECT "t2"."amount" AS "amount", "t2"."note" AS "note"
FROM "purchase" AS t2
WHERE "t0"."id" = "t2"."product_id" AND ((("t2"."owner_id" = $1::uuid) OR FALSE) AND ("t2"."amount" > $2::bigint))
ORDER BY "t2"."at" DESC NULLS LAST, "t2"."id" LIMIT 3) AS x) AS "c2", (SELECT row_to_json(x)
FROM (SELECT a.a0 AS "sum"
FROM (SELECT sum(r.v0)::bigint AS a0
FROM (SELECT 1 AS one, "t3"."amount" AS v0
FROM "purchase" AS t3
WHERE "t0"."id" = "t3"."product_id" AND ((("t3"."owner_id" = $3::uuid) OR FALSE) AND ("t3"."amount" > $4::bigint))) AS r) AS a) AS x) AS "c3"
FROM (SELECT t0.*
FROM "product" AS t0
WHERE TRUE AND ((("t0"."owner_id" = $5::uuid) OR FALSE) OR ("t0"."unit_id" = $6::uuid)) OFFSET 0) AS t0
ORDER BY "t0"."id" LIMIT 100
-- 00000000-0000-7000-8000-000000000000
-- 0
-- 00000000-0000-7000-8000-000000000000
-- 0
-- 00000000-0000-7000-8000-000000000000
-- 00000000-0000-7000-8000-000000000001

-- related: sqlite
SELECT concat('[', group_concat(concat('{"id":"', x.c0, '"}')), ']') AS a
FROM (SELECT "t0"."id" AS "c0"
FROM "shop" AS t0
WHERE TRUE AND EXISTS (SELECT 1
FROM "product" AS t1
WHERE "t0"."id" = "t1"."shop_id" AND ((("t1"."owner_id" = ?) OR FALSE) OR ("t1"."unit_id" = ?)) AND EXISTS (SELECT 1
FROM "purchase" AS t2
WHERE "t1"."id" = "t2"."product_id" AND ((("t2"."owner_id" = ?) OR FALSE) AND ("t2"."amount" > ?)) AND "t2"."paid" = ?))
ORDER BY "t0"."id" LIMIT 100) AS x
-- 00000000-0000-7000-8000-000000000000
-- 00000000-0000-7000-8000-000000000001
-- 00000000-0000-7000-8000-000000000000
-- 0
-- 1

-- related: postgres
SELECT "t0"."id" AS "c0"
FROM "shop" AS t0
WHERE TRUE AND EXISTS (SELECT 1
FROM "product" AS t1
WHERE "t0"."id" = "t1"."shop_id" AND ((("t1"."owner_id" = $1::uuid) OR FALSE) OR ("t1"."unit_id" = $2::uuid)) AND EXISTS (SELECT 1
FROM "purchase" AS t2
WHERE "t1"."id" = "t2"."product_id" AND ((("t2"."owner_id" = $3::uuid) OR FALSE) AND ("t2"."amount" > $4::bigint)) AND "t2"."paid" = $5))
ORDER BY "t0"."id" LIMIT 100
-- 00000000-0000-7000-8000-000000000000
-- 00000000-0000-7000-8000-000000000001
-- 00000000-0000-7000-8000-000000000000
-- 0
-- true

-- order by relation: sqlite
SELECT concat('[', group_concat(concat('{"id":"', x.c0, '"}')), ']') AS a
FROM (SELECT "t0"."id" AS "c0"
FROM "purchase" AS t0
WHERE TRUE AND ((("t0"."owner_id" = ?) OR FALSE) AND ("t0"."amount" > ?))
ORDER BY (SELECT (SELECT "t2"."code"
FROM "shop" AS t2
WHERE "t2"."id" = "t1"."shop_id")
FROM "product" AS t1
WHERE "t1"."id" = "t0"."product_id" AND ((("t1"."owner_id" = ?) OR FALSE) OR ("t1"."unit_id" = ?))) NULLS LAST, "t0"."id" LIMIT 100) AS x
-- 00000000-0000-7000-8000-000000000000
-- 0
-- 00000000-0000-7000-8000-000000000000
-- 00000000-0000-7000-8000-000000000001

-- order by relation: postgres
SELECT "t0"."id" AS "c0"
FROM (SELECT t0.*
FROM "purchase" AS t0
WHERE TRUE AND ((("t0"."owner_id" = $1::uuid) OR FALSE) AND ("t0"."amount" > $2::bigint)) OFFSET 0) AS t0
ORDER BY (SELECT (SELECT "t2"."code"
FROM "shop" AS t2
WHERE "t2"."id" = "t1"."shop_id")
FROM "product" AS t1
WHERE "t1"."id" = "t0"."product_id" AND ((("t1"."owner_id" = $3::uuid) OR FALSE) OR ("t1"."unit_id" = $4::uuid))), "t0"."id" LIMIT 100
-- 00000000-0000-7000-8000-000000000000
-- 0
-- 00000000-0000-7000-8000-000000000000
-- 00000000-0000-7000-8000-000000000001

-- aggregate: sqlite
SELECT concat('{"aggregate":', (SELECT concat('{"count":', coalesce(a.a0, 'null'), ',"titles":', coalesce(a.a1, 'null'), ',"avg":', (SELECT concat('{"price":', coalesce(float_json(a.a2), 'null'), '}') AS a), ',"max":', (SELECT concat('{"gross":', coalesce(a.a3, 'null'), '}') AS a), '}') AS a), ',"nodes":', (SELECT concat('[', group_concat(concat('{"id":"', x.c0, '"}')), ']') AS a
FROM (SELECT "t0"."id" AS "c0"
FROM "product" AS t0
WHERE TRUE AND ((("t0"."owner_id" = ?) OR FALSE) OR ("t0"."unit_id" = ?)) AND CASE WHEN (("t0"."owner_id" = ?) OR FALSE) THEN "t0"."stock" END >= ?
ORDER BY "t0"."id" LIMIT 100) AS x), '}') AS a
FROM (SELECT count(*) AS a0, count(DISTINCT r.v0) AS a1, decimal_avg(r.v1) AS a2, max(r.v2 COLLATE decimal) AS a3
FROM (SELECT 1 AS one, "t0"."title" AS v0, "t0"."price" AS v1, decimal_fit(decimal_mul("t0"."price", ?), 12, 2) COLLATE decimal AS v2
FROM "product" AS t0
WHERE TRUE AND ((("t0"."owner_id" = ?) OR FALSE) OR ("t0"."unit_id" = ?)) AND CASE WHEN (("t0"."owner_id" = ?) OR FALSE) THEN "t0"."stock" END >= ?) AS r) AS a
-- 00000000-0000-7000-8000-000000000000
-- 00000000-0000-7000-8000-000000000001
-- 00000000-0000-7000-8000-000000000000
-- 0
-- 1.19
-- 00000000-0000-7000-8000-000000000000
-- 00000000-0000-7000-8000-000000000001
-- 00000000-0000-7000-8000-000000000000
-- 0

-- aggregate: postgres
SELECT (SELECT row_to_json(x)
FROM (SELECT a.a0 AS "count", a.a1 AS "titles", (SELECT row_to_json(x)
FROM (SELECT a.a2 AS "price") AS x) AS "avg", (SELECT row_to_json(x)
FROM (SELECT a.a3 AS "gross") AS x) AS "max") AS x) AS "c0", (SELECT coalesce(json_agg(row_to_json(x)), '[]')
FROM (SELECT "t0"."id" AS "id"
FROM "product" AS t0
WHERE TRUE AND ((("t0"."owner_id" = $1::uuid) OR FALSE) OR ("t0"."unit_id" = $2::uuid)) AND CASE WHEN (("t0"."owner_id" = $3::uuid) OR FALSE) THEN "t0"."stock" END >= $4
ORDER BY "t0"."id" LIMIT 100) AS x) AS "c1"
FROM (SELECT count(*) AS a0, count(DISTINCT r.v0) AS a1, ((sum(r.v1) + 0e-40) / nullif(count(r.v1), 0))::float8 AS a2, max(r.v2) AS a3
FROM (SELECT 1 AS one, "t0"."title" AS v0, "t0"."price" AS v1, nullif(nullif(greatest(least(round((("t0"."price" * $5::numeric))::numeric, 2), 1e10), -1e10), 1e10), -1e10) AS v2
FROM "product" AS t0
WHERE TRUE AND ((("t0"."owner_id" = $6::uuid) OR FALSE) OR ("t0"."unit_id" = $7::uuid)) AND CASE WHEN (("t0"."owner_id" = $8::uuid) OR FALSE) THEN "t0"."stock" END >= $9) AS r) AS a
-- 00000000-0000-7000-8000-000000000000
-- 00000000-0000-7000-8000-000000000001
-- 00000000-0000-7000-8000-000000000000
-- 0
-- 1.19
-- 00000000-0000-7000-8000-000000000000
-- 00000000-0000-7000-8000-000000000001
-- 00000000-0000-7000-8000-000000000000
-- 0

-- aggregate of a page: sqlite
SELECT concat('{"min":', coalesce(a.a0, 'null'), '}') AS a
FROM (SELECT min(r.v0 COLLATE decimal) AS a0
FROM (SELECT 1 AS one, "t0"."price" AS v0
FROM "product" AS t0
WHERE TRUE AND ((("t0"."owner_id" = ?) OR FALSE) OR ("t0"."unit_id" = ?))
ORDER BY "t0"."price" COLLATE decimal NULLS LAST, "t0"."id" LIMIT 10) AS r) AS a
-- 00000000-0000-7000-8000-000000000000
-- 00000000-0000-7000-8000-000000000001

-- aggregate of a page: postgres
SELECT a.a0 AS "c0"
FROM (SELECT min(r.v0) AS a0
FROM (SELECT 1 AS one, "t0"."price" AS v0
FROM "product" AS t0
WHERE TRUE AND ((("t0"."owner_id" = $1::uuid) OR FALSE) OR ("t0"."unit_id" = $2::uuid))
ORDER BY "t0"."price", "t0"."id" LIMIT 10) AS r) AS a
-- 00000000-0000-7000-8000-000000000000
-- 00000000-0000-7000-8000-000000000001

