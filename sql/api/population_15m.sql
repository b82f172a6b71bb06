-- Aggregates over all users of a tenant, by quarter of an hour.
CREATE VIEW api.population_15m WITH (security_barrier) AS
  SELECT t.tenant_id,
         r.bucket,
         r.users,
         r.heart_rate_users,
         r.heart_rate_count,
         r.heart_rate_avg,
         r.heart_rate_stddev,
         r.heart_rate_min,
         r.heart_rate_max,
         r.steps_users,
         r.steps,
         r.calories_users,
         r.calories / 1e6::double precision AS calories
    FROM rollup.tenant_15m AS r
    JOIN api_internal.visible_tenant AS t ON t.tenant_key = r.tenant_key;

COMMENT ON VIEW api.population_15m IS
  'Aggregates over all users of a tenant by quarter of an hour (UTC), as of the last upkeep, which runs every hour; api.vitals_15m is exact at every moment. users counts the users with any reading, heart_rate_users those with a heart rate, and so on; heart_rate_avg and heart_rate_stddev are the mean and standard deviation of the users'' own averages (beats per minute); steps and calories (kilocalories) are totals, null where none were measured.';
COMMENT ON COLUMN api.population_15m.tenant_id IS 'The tenant of the users.';
COMMENT ON COLUMN api.population_15m.bucket IS 'Start of the quarter of an hour, UTC.';
COMMENT ON COLUMN api.population_15m.users IS 'Users with a reading in the bucket.';
COMMENT ON COLUMN api.population_15m.heart_rate_users IS 'Users with a heart rate in the bucket.';
COMMENT ON COLUMN api.population_15m.heart_rate_count IS 'Number of heart rates of all users.';
COMMENT ON COLUMN api.population_15m.heart_rate_avg IS 'Mean of the users'' averages, beats per minute; null without one.';
COMMENT ON COLUMN api.population_15m.heart_rate_stddev IS 'Sample standard deviation of the users'' averages, beats per minute; null with fewer than two.';
COMMENT ON COLUMN api.population_15m.heart_rate_min IS 'Lowest heart rate of all users, beats per minute; null without one.';
COMMENT ON COLUMN api.population_15m.heart_rate_max IS 'Highest heart rate of all users, beats per minute; null without one.';
COMMENT ON COLUMN api.population_15m.steps_users IS 'Users with steps in the bucket.';
COMMENT ON COLUMN api.population_15m.steps IS 'Steps of all users; null where none were counted.';
COMMENT ON COLUMN api.population_15m.calories_users IS 'Users with calories in the bucket.';
COMMENT ON COLUMN api.population_15m.calories IS 'Kilocalories of all users; null where none were measured.';
