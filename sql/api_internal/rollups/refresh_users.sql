-- A piece of a refresh: the stale days of some users.
CREATE FUNCTION api_internal.refresh_users(INOUT day timestamptz, INOUT user_key int, most int, OUT user_days int)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  after_day  CONSTANT timestamptz := day;
  after_user CONSTANT int := user_key;
  chunks     CONSTANT bigint := api_internal.rollup_chunks();
  candidates int[];
  ours       int[];
  marks      record;
  stale      record;
BEGIN
  user_days := 0;
  -- Shared among refreshers. A change of a priority and an erasure take the lock exclusively.
  IF NOT api_internal.try_share_refresh() THEN
    day := NULL;
    RETURN;
  END IF;
  -- The condition on version names the index of all users' marks.
  SELECT n.day, n.user_key INTO day, user_key
    FROM ((SELECT 1 AS place, s.day, s.user_key
             FROM core.stale_day AS s
            WHERE s.version > 0 AND s.day = after_day AND s.user_key > after_user
            ORDER BY s.user_key
            LIMIT 1)
          UNION ALL
          (SELECT 2, s.day, s.user_key
             FROM core.stale_day AS s
            WHERE s.version > 0 AND s.day < after_day
            ORDER BY s.day DESC, s.user_key
            LIMIT 1)) AS n
   ORDER BY n.place
   LIMIT 1;
  IF NOT FOUND THEN
    day := NULL;
    RETURN;
  END IF;
  SELECT array_agg(c.user_key ORDER BY c.user_key) INTO candidates
    FROM (SELECT s.user_key
            FROM core.stale_day AS s
           WHERE s.version > 0 AND s.day = refresh_users.day AND s.user_key >= refresh_users.user_key
           GROUP BY s.user_key
           ORDER BY s.user_key
           LIMIT most) AS c;
  user_key := candidates[cardinality(candidates)];

  -- The claim: other refreshers skip these users until this transaction ends. Writers never lock them.
  SELECT array_agg(u.user_key) INTO ours
    FROM (SELECT a.user_key
            FROM core.app_user AS a
           WHERE a.user_key = ANY (candidates)
           ORDER BY a.user_key
             FOR NO KEY UPDATE SKIP LOCKED) AS u;
  -- Every mark that is visible here is committed, so the following statements see the readings and samples that were written
  -- with it.
  SELECT array_agg(s.user_key) AS user_keys, array_agg(s.ctid) AS rows, array_agg(s.quarters) AS quarters,
         array_agg(s.sample_quarters) AS sample_quarters
    INTO marks
    FROM core.stale_day AS s
   WHERE s.day = refresh_users.day AND s.user_key = ANY (ours);
  IF marks.user_keys IS NULL THEN
    RETURN;
  END IF;
  SELECT array_agg(m.user_key) FILTER (WHERE m.quarters <> B'0'::bit(96)) AS user_keys,
         -- Of users with intervals whole hours, up to the horizon: above it no rows are kept.
         array_agg(CASE WHEN api_internal.has_intervals(m.user_key)
                        THEN api_internal.hour_bits(m.quarters) & api_internal.quarter_bits(day, day, (SELECT h.announced FROM core.horizon AS h))
                        ELSE m.quarters END) FILTER (WHERE m.quarters <> B'0'::bit(96)) AS quarters,
         array_agg(m.user_key) FILTER (WHERE m.sample_quarters IS NOT NULL) AS sample_users,
         array_agg(m.sample_quarters) FILTER (WHERE m.sample_quarters IS NOT NULL) AS sample_quarters,
         count(*) AS user_days
    INTO stale
    FROM (SELECT s.user_key, bit_or(s.quarters) AS quarters, bit_or(s.sample_quarters) AS sample_quarters
            FROM unnest(marks.user_keys, marks.quarters, marks.sample_quarters) AS s (user_key, quarters, sample_quarters)
           GROUP BY s.user_key) AS m;
  IF stale.user_keys IS NOT NULL THEN
    PERFORM api_internal.roll_up(day, stale.user_keys, stale.quarters);
    INSERT INTO core.changed_day (day) VALUES (refresh_users.day);
  END IF;
  IF stale.sample_users IS NOT NULL THEN
    PERFORM api_internal.roll_up_samples(day, stale.sample_users, stale.sample_quarters);
  END IF;
  -- A commit is visible a moment before other sessions hear that it made a chunk, and a question of that moment would find neither
  -- marks nor rows. So the marks stay until the chunk is known: this piece is done once more.
  IF api_internal.rollup_chunks() > chunks THEN
    day := after_day;
    user_key := after_user;
    RETURN;
  END IF;
  -- Exactly the marks that were read: a mark added since then stands for readings that may not be rolled up. By their place,
  -- which only the holder of the claim sets free: a join would be quadratic where statistics are of an empty table.
  DELETE FROM core.stale_day AS s WHERE s.ctid = ANY (marks.rows);
  user_days := stale.user_days;
END
$$;

COMMENT ON FUNCTION api_internal.refresh_users IS
  'Rolls up the stale quarters of the next users, at most `most`, after a day and user_key in the order of refreshing (days newest first, then users). Returns the day and the last user_key, and the number of user-days rolled up, which is smaller where other refreshers hold users; the day is null if none is left, or while a priority changes or a user is erased. A piece that made a chunk returns what it was given, and no user-days: it is to be done once more.';
