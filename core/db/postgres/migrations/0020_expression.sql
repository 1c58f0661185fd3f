-- What functions of the expression language mean, where SQL has no short word for it: the twins of package core/formula. Times
-- are without a zone, in UTC. NULL is what has no value. A semicolon at the end of a line would end a statement of this file.

-- The same time of the year in one of the years 2072 to 2099 that is alike: see core/formula/zone.go.
CREATE FUNCTION zone_second(t timestamp) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT floor(extract(epoch from CASE WHEN t < '2100-01-01' THEN t ELSE t - date_trunc('year', t) + (SELECT make_date(y, 1, 1)::timestamp FROM generate_series(2099, 2072, -1) AS y
    WHERE extract(dow from make_date(y, 1, 1)) = extract(dow from date_trunc('year', t)) AND extract(dow from make_date(y, 12, 31)) = extract(dow from date_trunc('year', t) + interval '1 year - 1 day')
    LIMIT 1) END))::bigint $$;

CREATE FUNCTION zone_civil(t timestamptz, steps bigint[], seconds bigint[]) RETURNS timestamp
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE d timestamp := t AT TIME ZONE 'UTC'; BEGIN
  d := d + seconds[width_bucket(zone_second(d), steps) + 1] * interval '1 second'; -- the step that t is in
  RETURN CASE WHEN d >= '0001-01-01' AND d < '10000-01-01' THEN d END; END $$;

CREATE FUNCTION zone_moment(d timestamp, steps bigint[], seconds bigint[]) RETURNS timestamptz
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE t timestamp := d - seconds[width_bucket(zone_second(d), steps) + 1] * interval '1 second'; BEGIN
  RETURN CASE WHEN t >= '0001-01-01' AND t < '10000-01-01' THEN t AT TIME ZONE 'UTC' END; END $$;

CREATE FUNCTION months_between(a timestamp, b timestamp) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT div((extract(year from b) - extract(year from a)) * 1200 + (extract(month from b) - extract(month from a)) * 100 + extract(day from b) - extract(day from a), 100)::bigint $$;

-- Working days from Monday to Friday after a and not after b, without the holidays, of which none is a Saturday or Sunday.
CREATE FUNCTION workdays_after(a date, b date, holidays date[]) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT ((b - date '0001-01-01') / 7 - (a - date '0001-01-01') / 7) * 5 + least((b - date '0001-01-01') % 7 + 1, 5) - least((a - date '0001-01-01') % 7 + 1, 5)
    - (SELECT count(*) FROM unnest(holidays) AS h WHERE h > a AND h <= b) $$;

CREATE FUNCTION workdays_between(a timestamp, b timestamp, holidays date[]) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN b::date < a::date THEN - workdays_after(b::date - 1, a::date - 1, holidays) ELSE workdays_after(a::date, b::date, holidays) END $$;

CREATE FUNCTION add_workdays(t timestamp, n bigint, holidays date[]) RETURNS timestamp
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE day date := t::date; was date; left_over bigint := abs(greatest(least(n, 1000001), -1000001)); weeks bigint; BEGIN
  IF n > 1000000 OR n < -1000000 THEN RETURN NULL; END IF; -- further than the calendar needs
  WHILE left_over > 0 LOOP was := day; weeks := (left_over - 1) / 5; -- whole weeks first, single days in the end
    day := day + (sign(n) * CASE WHEN weeks > 0 THEN weeks * 7 ELSE 1 END)::int; -- as core/formula does
    left_over := left_over - CASE WHEN n > 0 THEN workdays_after(was, day, holidays) ELSE workdays_after(day - 1, was - 1, holidays) END; END LOOP; --
  t := day + (t - date_trunc('day', t)); RETURN CASE WHEN t >= '0001-01-01' AND t < '10000-01-01' THEN t END; END $$;

CREATE FUNCTION date_parse(s text, pattern text, y int, m int, d int) RETURNS timestamptz
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE g text[] := regexp_match(s, pattern); year int; month int; day int; BEGIN
  IF g IS NULL THEN RETURN NULL; END IF; year := g[y]; month := coalesce(g[m], '1'); day := coalesce(g[d], '1'); --
  IF year < 1 OR month < 1 OR month > 12 OR day < 1 OR day > extract(day from make_date(year, month, 1) + interval '1 month - 1 day') THEN RETURN NULL; END IF; --
  RETURN make_date(year, month, day)::timestamp AT TIME ZONE 'UTC'; END $$;

CREATE FUNCTION number_format(n numeric, digits int, least_places int, most_places int, separator text, point text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE r numeric := round(n, most_places); whole text := split_part(abs(r)::text, '.', 1); places text := split_part(abs(r)::text, '.', 2); BEGIN
  places := left(places, least_places) || rtrim(substr(places, least_places + 1), '0'); -- digits that may be missing
  IF length(whole) < digits THEN whole := lpad(whole, digits, '0'); END IF; --
  IF separator <> '' THEN whole := regexp_replace(whole, '(\d)(?=(\d{3})+$)', '\1' || separator, 'g'); END IF; --
  RETURN CASE WHEN r < 0 THEN '-' ELSE '' END || whole || CASE WHEN places <> '' THEN point || places ELSE '' END; END $$;

CREATE FUNCTION number_mod(a numeric, b numeric) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT mod(mod(a, nullif(b, 0)) + b, nullif(b, 0)) $$;

CREATE FUNCTION number_power(x numeric, n bigint) RETURNS numeric LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE r numeric := 1; BEGIN
  IF n < 0 OR n > 100 THEN RETURN NULL; END IF; FOR i IN 1..n LOOP r := r * x; END LOOP; RETURN r; END $$;

CREATE FUNCTION number_sqrt(x numeric) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN x >= 0 THEN round(sqrt(round(x, 40)), 20) END $$;

CREATE FUNCTION text_part(s text, separator text, n bigint) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN n BETWEEN 0 AND 1000000000 THEN (CASE WHEN separator = '' THEN ARRAY[nullif(s, '')] ELSE string_to_array(s, separator) END)[n + 1] END $$;

CREATE FUNCTION text_find(s text, part text, start bigint) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN start BETWEEN 0 AND 1000000000 THEN nullif(strpos(substr(s, start::int + 1), part), 0) - 1 + start END $$;

CREATE FUNCTION text_pad(s text, n bigint, fill text, at_left boolean) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN n < 0 OR n > 1000 THEN NULL WHEN n <= length(s) THEN s WHEN at_left THEN lpad(s, n::int, fill) ELSE rpad(s, n::int, fill) END $$;

CREATE FUNCTION text_repeat(s text, n bigint) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN n BETWEEN 0 AND 1000000 AND n * length(s) <= 1000000 THEN repeat(s, n::int) END $$;

CREATE FUNCTION text_title(s text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT coalesce(string_agg(upper(left(w, 1) COLLATE "C") || lower(substr(w, 2) COLLATE "C"), ' ' ORDER BY n), '') FROM unnest(string_to_array(s, ' ')) WITH ORDINALITY AS u(w, n) $$;

CREATE FUNCTION text_join(separator text, a text, b text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN a <> '' AND b <> '' THEN a || separator || b WHEN a <> '' THEN a ELSE nullif(b, '') END $$;

CREATE FUNCTION json_number(j jsonb, path text[]) RETURNS numeric LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE v jsonb := j #> path; n numeric; BEGIN
  IF jsonb_typeof(v) IS DISTINCT FROM 'number' THEN RETURN NULL; END IF; n := round(v::numeric, 30); RETURN CASE WHEN abs(n) < 1e30 THEN n END; END $$;

CREATE FUNCTION json_size(j jsonb, path text[]) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE v jsonb := j #> path; BEGIN
  RETURN CASE jsonb_typeof(v) WHEN 'array' THEN jsonb_array_length(v) WHEN 'object' THEN (SELECT count(*) FROM jsonb_object_keys(v)) END; END $$;
