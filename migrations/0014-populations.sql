-- Populations: what all users of a tenant did together. Their grain is time, not a person, so these are continuous aggregates:
-- over the rollups of users, which keep the rule between devices and take in late readings.

CREATE MATERIALIZED VIEW rollup.tenant_15m
  WITH (timescaledb.continuous, timescaledb.materialized_only = true, timescaledb.create_group_indexes = false) AS
  SELECT time_bucket(INTERVAL '15 minutes', r.bucket) AS bucket,
         count(*) AS users,
         count(r.heart_rate_sum) AS heart_rate_users,
         sum(r.heart_rate_count)::bigint AS heart_rate_count,
         -- Of each user the mean, so that a strap that reports every second counts no more than a watch.
         avg(r.heart_rate_sum / (nullif(r.heart_rate_count, 0) * 1e6::double precision)) AS heart_rate_avg,
         stddev_samp(r.heart_rate_sum / (nullif(r.heart_rate_count, 0) * 1e6::double precision)) AS heart_rate_stddev,
         min(r.heart_rate_min) AS heart_rate_min,
         max(r.heart_rate_max) AS heart_rate_max,
         count(r.steps) AS steps_users,
         sum(r.steps)::bigint AS steps,
         count(r.calories) AS calories_users,
         sum(r.calories)::bigint AS calories,
         u.tenant_key
    FROM rollup.user_15m AS r
    JOIN core.app_user AS u ON u.user_key = r.user_key
   GROUP BY 1, u.tenant_key
  WITH NO DATA;
CREATE INDEX tenant_15m_by_tenant ON rollup.tenant_15m (tenant_key, bucket);

CREATE MATERIALIZED VIEW rollup.tenant_1h
  WITH (timescaledb.continuous, timescaledb.materialized_only = true, timescaledb.create_group_indexes = false) AS
  SELECT time_bucket(INTERVAL '1 hour', r.bucket) AS bucket,
         count(*) AS users,
         count(r.heart_rate_sum) AS heart_rate_users,
         sum(r.heart_rate_count)::bigint AS heart_rate_count,
         -- Of each user the mean, so that a strap that reports every second counts no more than a watch.
         avg(r.heart_rate_sum / (nullif(r.heart_rate_count, 0) * 1e6::double precision)) AS heart_rate_avg,
         stddev_samp(r.heart_rate_sum / (nullif(r.heart_rate_count, 0) * 1e6::double precision)) AS heart_rate_stddev,
         min(r.heart_rate_min) AS heart_rate_min,
         max(r.heart_rate_max) AS heart_rate_max,
         count(r.steps) AS steps_users,
         sum(r.steps)::bigint AS steps,
         count(r.calories) AS calories_users,
         sum(r.calories)::bigint AS calories,
         u.tenant_key
    FROM rollup.user_1h AS r
    JOIN core.app_user AS u ON u.user_key = r.user_key
   GROUP BY 1, u.tenant_key
  WITH NO DATA;
CREATE INDEX tenant_1h_by_tenant ON rollup.tenant_1h (tenant_key, bucket);

CREATE MATERIALIZED VIEW rollup.tenant_1d
  WITH (timescaledb.continuous, timescaledb.materialized_only = true, timescaledb.create_group_indexes = false) AS
  SELECT time_bucket(INTERVAL '24 hours', r.bucket) AS bucket,
         count(*) AS users,
         count(r.heart_rate_sum) AS heart_rate_users,
         sum(r.heart_rate_count)::bigint AS heart_rate_count,
         -- Of each user the mean, so that a strap that reports every second counts no more than a watch.
         avg(r.heart_rate_sum / (nullif(r.heart_rate_count, 0) * 1e6::double precision)) AS heart_rate_avg,
         stddev_samp(r.heart_rate_sum / (nullif(r.heart_rate_count, 0) * 1e6::double precision)) AS heart_rate_stddev,
         min(r.heart_rate_min) AS heart_rate_min,
         max(r.heart_rate_max) AS heart_rate_max,
         count(r.steps) AS steps_users,
         sum(r.steps)::bigint AS steps,
         count(r.calories) AS calories_users,
         sum(r.calories)::bigint AS calories,
         u.tenant_key
    FROM rollup.user_1d AS r
    JOIN core.app_user AS u ON u.user_key = r.user_key
   GROUP BY 1, u.tenant_key
  WITH NO DATA;
CREATE INDEX tenant_1d_by_tenant ON rollup.tenant_1d (tenant_key, bucket);

-- Wide chunks where rows are few.
SELECT set_chunk_time_interval(format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name), width)
  FROM timescaledb_information.continuous_aggregates
  JOIN (VALUES ('tenant_15m', INTERVAL '360 days'), ('tenant_1h', INTERVAL '1800 days'),
               ('tenant_1d', INTERVAL '3600 days')) AS w (view_name, width)
    USING (view_name)
 WHERE view_schema = 'rollup';
