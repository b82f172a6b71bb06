-- What the database of 0.2.0.tsv was filled with, by psql, after release 0.2.0 had migrated it; its jobs do not run.
-- The release's own functions write, refresh, compress, erase and delete; some changes come after the last refresh.
SELECT alter_job(job_id, scheduled => false) FROM timescaledb_information.jobs WHERE proc_schema = 'core';
-- A watch and a phone that meet in some hours of each day, a user of another tenant, seconds, nulls.
INSERT INTO api.readings (tenant_id, user_id, device_id, ts, heart_rate, steps, calories)
SELECT t.tenant, t.usr, t.device, moment + t.shift, CASE WHEN n % 4 <> 3 THEN 60 + (n * 7 + t.k * 13) % 90 END,
       CASE WHEN n % 6 <> 4 THEN (n * 11 + t.k) % 40 END, CASE WHEN n % 5 <> 2 THEN ((n * 3 + t.k) % 25) / 8.0 END
  FROM (VALUES ('default', 'ada', 'watch', INTERVAL '0 s', 1, INTERVAL '17 minutes'), ('default', 'ada', 'phone', INTERVAL '20 s', 2, INTERVAL '71 minutes'),
               ('default', 'bob', 'phone', INTERVAL '5 s', 3, INTERVAL '90 minutes'), ('acme', 'ada', 'strap', INTERVAL '0.25 s', 4, INTERVAL '6 hours'))
       AS t (tenant, usr, device, shift, k, every)
 CROSS JOIN LATERAL (SELECT m AS moment, row_number() OVER (ORDER BY m)::int AS n
   FROM generate_series(timestamptz '2024-03-24 21:00Z', timestamptz '2024-04-03 09:00Z', t.every) AS m) AS s
 WHERE NOT (t.device = 'watch' AND extract(hour FROM moment) BETWEEN 2 AND 5);
INSERT INTO api.readings (tenant_id, user_id, device_id, ts, heart_rate) VALUES ('default', 'gone', 'watch', '2024-03-28 12:00Z', 77);
SELECT api_internal.write_events(array_fill('default'::text, ARRAY[6]), ARRAY['e1','e2','e3','e4','e5','e6'], array_fill('web'::text, ARRAY[6]),
  ARRAY['click','view','click','click','view','purchase'],
  ARRAY['2024-03-25 10:00Z','2024-03-25 10:00:30Z','2024-03-25 23:59:59Z','2024-03-31 01:30Z','2024-04-01 00:00Z','2024-04-02 12:00Z']::timestamptz[],
  array_fill('{"page": "/home"}'::jsonb, ARRAY[6]));
CALL api.refresh();
CALL api.upkeep();
SELECT api.set_device('default', 'phone', 'Pocket', 1);
SELECT api.set_goal('default', 'ada', 'steps', 9000);
CALL api.refresh();
SELECT count(*) FROM api.erase_user('default', 'gone');
SELECT deleted FROM api.delete_readings('default', 'bob', '2024-03-27', '2024-03-28');
-- What came after the last refresh: corrections of what is compressed, a new user, an event, a priority.
UPDATE api.readings SET steps = 100 WHERE user_id = 'ada' AND tenant_id = 'default' AND ts = '2024-03-26 00:12Z';
INSERT INTO api.readings (user_id, device_id, ts, heart_rate, steps) SELECT 'eve', 'band', m, 70, 5 FROM generate_series(timestamptz '2024-03-30 22:30Z', '2024-03-31 03:00Z', '10 minutes') AS m;
INSERT INTO api.readings (user_id, device_id, ts, steps) VALUES ('ada', 'phone', '2024-03-29 03:03Z', 44);
SELECT api_internal.write_events(ARRAY['default'], ARRAY['e7'], ARRAY['web'], ARRAY['click'], ARRAY['2024-03-25 10:01Z']::timestamptz[], ARRAY['{}'::jsonb]);
SELECT api.set_device('default', 'watch', 'Wrist', 0);
