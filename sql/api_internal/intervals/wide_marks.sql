-- Marks as they concern answers.
CREATE VIEW api_internal.wide_marks AS
  SELECT s.user_key, s.day, s.version, CASE WHEN EXISTS (SELECT FROM core.interval_series AS i WHERE i.user_key = s.user_key AND i.kind < 2 AND i.metric_key < 4) THEN api_internal.hour_bits(s.quarters) ELSE s.quarters END AS quarters
    FROM core.stale_day AS s;

COMMENT ON VIEW api_internal.wide_marks IS
  'core.stale_day, by whole hours for users with intervals: what changes in one quarter of an hour may change what counts in the others. Lacks what api_internal.marks adds.';
