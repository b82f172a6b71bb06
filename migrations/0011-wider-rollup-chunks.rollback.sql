SELECT set_chunk_time_interval(format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name), width)
  FROM timescaledb_information.continuous_aggregates
  JOIN (VALUES ('user_15m', INTERVAL '360 days'), ('user_1h', INTERVAL '720 days')) AS w (view_name, width)
    USING (view_name)
 WHERE view_schema = 'rollup';
