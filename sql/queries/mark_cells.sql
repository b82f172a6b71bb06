-- Mark hours that intervals overlap stale.
SELECT api_internal.mark_cells(%(user_keys)s, %(timestamps)s, ARRAY(SELECT t.ts + INTERVAL '1 hour' FROM unnest(%(timestamps)s) WITH ORDINALITY AS t (ts, n) ORDER BY t.n))
