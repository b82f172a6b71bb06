-- Which users reached which goals in the last complete week (from Monday, UTC)?
SELECT g.tenant_id, g.user_id, g.metric, g.target, coalesce(sum(d.done), 0) AS done, coalesce(sum(d.done), 0) >= g.target AS reached
  FROM api.goals AS g
  LEFT JOIN (SELECT d.tenant_id, d.user_id, m.metric, m.done
               FROM api.daily('UTC', date_trunc('week', now() AT TIME ZONE 'UTC')::date - 7,
                              date_trunc('week', now() AT TIME ZONE 'UTC')::date) AS d
              CROSS JOIN LATERAL (VALUES ('steps', d.steps::double precision), ('calories', d.calories),
                                         ('worn_minutes', d.worn_minutes)) AS m (metric, done)) AS d
    ON d.tenant_id = g.tenant_id AND d.user_id = g.user_id AND d.metric = g.metric
 GROUP BY g.tenant_id, g.user_id, g.metric, g.target
 ORDER BY g.tenant_id, g.user_id, g.metric;
