-- A question of a rollup opens every chunk of it before it knows which it needs: ten years of quarters in eleven chunks cost a
-- ragged summary a tenth of its time. Chunks that are there keep their width.
SELECT set_chunk_time_interval(format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name), width)
  FROM timescaledb_information.continuous_aggregates
  JOIN (VALUES ('user_15m', INTERVAL '1800 days'), ('user_1h', INTERVAL '3600 days')) AS w (view_name, width)
    USING (view_name)
 WHERE view_schema = 'rollup';
