-- A moment of a metric.
CREATE TYPE api_internal.metric_moment AS (metric text, ts timestamptz);

COMMENT ON TYPE api_internal.metric_moment IS 'A moment of a metric, by name.';
