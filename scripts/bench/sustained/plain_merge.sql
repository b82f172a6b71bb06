-- Merge repeated readings from the temporary table.
INSERT INTO plain.reading AS r
SELECT * FROM pg_temp.again
ON CONFLICT (user_key, device_key, ts) DO UPDATE
   SET heart_rate = coalesce(excluded.heart_rate, r.heart_rate),
       calories = coalesce(excluded.calories, r.calories),
       steps = coalesce(excluded.steps, r.steps)
