-- How much two names are alike, for a hint at what was meant.
CREATE FUNCTION api_internal.name_likeness(one text, other text) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT 2 * count(*)::double precision / (least(length(one), 127) + length(other) + 2)
          FROM (SELECT substr(' ' || translate(lower(left(one, 127)), '- ', '__') || ' ', i, 2) FROM generate_series(1, length(left(one, 127)) + 1) AS i
                INTERSECT ALL
                SELECT substr(' ' || lower(other) || ' ', i, 2) FROM generate_series(1, length(other) + 1) AS i) AS pairs);

COMMENT ON FUNCTION api_internal.name_likeness IS
  'The share of the pairs of neighbouring letters that two names have in common, from 0 to 1 for the same name, whatever the case.';
