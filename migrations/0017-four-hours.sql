-- Rollups of four hours: a local day is added up from five of them and four hours, rather than from 24 hours.
--
-- They are filled from hours, which are there also where raw readings are not. Refreshers wait until this transaction ends, so that
-- no hour changes meanwhile; what is marked stale is theirs to bring up to date afterwards. Writers and readers go on.

-- Not where an earlier migration of this transaction has emptied them, and holds a lock that comes after this one.
SELECT pg_advisory_xact_lock(hashtext('hyperpulse refresh')) WHERE EXISTS (SELECT FROM rollup.user_1h);

CREATE TABLE rollup.user_4h (LIKE rollup.user_1h);
ALTER TABLE rollup.user_4h ADD CONSTRAINT user_4h_identity PRIMARY KEY (user_key, bucket)
  INCLUDE (first_ts, last_ts, heart_rate_sum, heart_rate_min, heart_rate_max, calories, steps, heart_rate_count,
           heart_rate_device, sole_device, worn_minutes, resting_heart_rate);
COMMENT ON TABLE rollup.user_4h IS
  'What a user did in each four hours (UTC, from midnight) that are below the horizon as a whole; columns as in rollup.user_1h, which it is added up from. Local days are added up from these.';

CREATE TABLE rollup.device_4h (LIKE rollup.device_1h,
  CONSTRAINT device_4h_identity PRIMARY KEY (user_key, bucket, device_key));
COMMENT ON TABLE rollup.device_4h IS
  'What each device measured of a user in four hours in which several reported; where a single one did, the row in rollup.user_4h is its row as well.';

SELECT create_hypertable(w.name::regclass, by_range('bucket', INTERVAL '3600 days'), create_default_indexes => false)
  FROM (VALUES ('rollup.user_4h'), ('rollup.device_4h')) AS w (name);

INSERT INTO rollup.user_4h (user_key, bucket, first_ts, last_ts, heart_rate_sum, heart_rate_count, heart_rate_min, heart_rate_max,
                            calories, steps, heart_rate_device, sole_device, worn_minutes, resting_heart_rate)
  SELECT r.user_key, time_bucket(INTERVAL '4 hours', r.bucket) AS four_hours, min(r.first_ts), max(r.last_ts),
         sum(r.heart_rate_sum)::bigint, sum(r.heart_rate_count)::int, min(r.heart_rate_min), max(r.heart_rate_max),
         sum(r.calories)::bigint, sum(r.steps)::bigint,
         CASE WHEN min(r.heart_rate_device) = max(r.heart_rate_device) THEN min(r.heart_rate_device)
              WHEN min(r.heart_rate_device) IS NOT NULL THEN 0 END,
         CASE WHEN count(r.sole_device) = count(*) AND min(r.sole_device) = max(r.sole_device) THEN min(r.sole_device) END,
         CASE WHEN count(r.worn_minutes) = count(*) THEN sum(r.worn_minutes) END::smallint,
         min(r.resting_heart_rate)
    FROM rollup.user_1h AS r, core.horizon AS h
   WHERE r.bucket < time_bucket(INTERVAL '4 hours', h.announced)
   GROUP BY r.user_key, four_hours
   ORDER BY r.user_key, four_hours;

-- A device's own row where several reported: from its hours among others, and from the hours that are its alone.
INSERT INTO rollup.device_4h (user_key, device_key, bucket, first_ts, last_ts, heart_rate_sum, heart_rate_count, heart_rate_min,
                              heart_rate_max, calories, steps)
  SELECT d.user_key, d.device_key, u.bucket, min(d.first_ts), max(d.last_ts), sum(d.heart_rate_sum)::bigint,
         sum(d.heart_rate_count)::int, min(d.heart_rate_min), max(d.heart_rate_max), sum(d.calories)::bigint, sum(d.steps)::bigint
    FROM rollup.user_4h AS u
   CROSS JOIN LATERAL (
     SELECT h.user_key, h.sole_device AS device_key, h.first_ts, h.last_ts, h.heart_rate_sum, h.heart_rate_count,
            h.heart_rate_min, h.heart_rate_max, h.calories, h.steps
       FROM rollup.user_1h AS h
      WHERE h.user_key = u.user_key AND h.bucket >= u.bucket AND h.bucket < u.bucket + INTERVAL '4 hours'
        AND h.sole_device IS NOT NULL
     UNION ALL
     SELECT h.user_key, h.device_key, h.first_ts, h.last_ts, h.heart_rate_sum, h.heart_rate_count,
            h.heart_rate_min, h.heart_rate_max, h.calories, h.steps
       FROM rollup.device_1h AS h
      WHERE h.user_key = u.user_key AND h.bucket >= u.bucket AND h.bucket < u.bucket + INTERVAL '4 hours') AS d
   WHERE u.sole_device IS NULL
   GROUP BY d.user_key, d.device_key, u.bucket
   ORDER BY d.user_key, u.bucket, d.device_key;
