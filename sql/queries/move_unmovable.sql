-- Since when a tenant has rollups here, of readings and of samples, else the days that are given; and whether retention has dropped some of what
-- they are computed from, before which moment; one row.
SELECT CASE WHEN f.day < h.raw_from THEN h.raw_from ELSE h.samples_from END::text AS raw_from,
       f.day::text AS first_day, f.sample_day::text AS first_sample_day,
       coalesce(f.day < h.raw_from, false) OR coalesce(f.sample_day < h.samples_from, false) AS is_dropped
  FROM core.horizon AS h
 CROSS JOIN (
   SELECT coalesce(min(r.bucket) FILTER (WHERE NOT r.is_of_samples), %(first_day)s::timestamptz) AS day,
          coalesce(min(r.bucket) FILTER (WHERE r.is_of_samples), %(first_sample_day)s::timestamptz) AS sample_day
     FROM (SELECT d.user_key, d.bucket, false AS is_of_samples FROM rollup.user_1d AS d
           UNION ALL
           SELECT d.user_key, d.bucket, true FROM rollup.sample_1d AS d) AS r
     JOIN core.app_user AS u USING (user_key)
     JOIN core.tenant AS t USING (tenant_key)
    WHERE t.tenant_id = %(tenant_id)s) AS f
