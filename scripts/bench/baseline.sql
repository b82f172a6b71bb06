-- What api.summary answers, from the raw readings alone.
SELECT coalesce(sum(m.heart_rate_count), 0)::bigint,
       api_internal.from_micro(sum(m.heart_rate_sum)::bigint, nullif(sum(m.heart_rate_count)::bigint, 0)),
       min(m.heart_rate_min), max(m.heart_rate_max), sum(m.steps)::bigint, api_internal.from_micro(sum(m.calories)::bigint),
       min(m.first_ts), max(m.last_ts)
  FROM api_internal.minutes(%(user_key)s, tstzmultirange(tstzrange(%(start)s, %(end)s))) AS m
