DROP MATERIALIZED VIEW rollup.event_1d;
DROP MATERIALIZED VIEW rollup.event_1h;
DROP MATERIALIZED VIEW rollup.event_1m;
DROP TABLE core.stale_event_day;
ALTER TABLE core.event DROP CONSTRAINT event_happened_at_a_moment;
