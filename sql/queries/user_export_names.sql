-- The names and goals of a user as a line of JSON each.
COPY (
  SELECT l.line
    FROM core.app_user AS u
   CROSS JOIN LATERAL (
     SELECT NULL::text AS metric,
            jsonb_build_object('kind', 'user', 'tenant_id', %(tenant_id)s::text, 'user_id', %(user_id)s::text,
                               'registered_at', api_internal.iso_moment(u.registered_at), 'time_zone', u.time_zone) AS line
     UNION ALL
     SELECT g.metric, jsonb_build_object('kind', 'goal', 'metric', g.metric, 'target', g.target)
       FROM core.goal AS g
      WHERE g.user_key = u.user_key
   ) AS l
   WHERE u.user_key = api_internal.find_user(%(tenant_id)s, %(user_id)s)
   ORDER BY l.metric NULLS FIRST
-- JSON contains no control characters, so COPY never quotes a line.
) TO STDOUT (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02', ENCODING 'UTF8')
