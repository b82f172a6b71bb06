DROP INDEX _timescaledb_internal.user_15m_by_user;
CREATE INDEX user_15m_by_user ON rollup.user_15m (user_key, bucket);
DROP INDEX _timescaledb_internal.user_1h_by_user;
CREATE INDEX user_1h_by_user ON rollup.user_1h (user_key, bucket);
DROP INDEX _timescaledb_internal.user_1d_by_user;
CREATE INDEX user_1d_by_user ON rollup.user_1d (user_key, bucket);
