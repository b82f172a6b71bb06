-- Since when a tenant has rollups of users here, else the day that is given, and whether retention has dropped raw readings since; one row.
SELECT h.raw_from::text AS raw_from, f.day::text AS first_day, coalesce(f.day < h.raw_from, false) AS is_dropped
  FROM core.horizon AS h
 CROSS JOIN (
   SELECT coalesce(min(r.bucket), %(first_day)s::timestamptz) AS day
     FROM rollup.user_1d AS r
     JOIN core.app_user AS u USING (user_key)
     JOIN core.tenant AS t USING (tenant_key)
    WHERE t.tenant_id = %(tenant_id)s) AS f
