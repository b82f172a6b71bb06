-- What a BI login must not reach: locks on private tables in place of advisory locks, which any role may take and see.
--
-- The locks of the release before are held to the end of this transaction: what ran under them has ended by then.

-- Not where an earlier migration of this transaction has emptied the rollups, and holds a lock that comes after this one.
SELECT pg_advisory_xact_lock(hashtext('hyperpulse refresh')) WHERE EXISTS (SELECT FROM rollup.user_1h);
SELECT pg_advisory_xact_lock(hashtext('hyperpulse horizon'));

-- A writer of the release before that waits for that lock now knows nothing of the new one. It marks below what is announced here,
-- and no refresh announces more for at least a quarter of an hour, when that writer has long ended.
UPDATE core.horizon
   SET announced = greatest(announced, time_bucket(INTERVAL '15 minutes', now() + INTERVAL '30 minutes'
         - (SELECT coalesce(s.value::interval, INTERVAL '0') FROM core.setting AS s WHERE s.name = 'refresh_lag')))
 WHERE EXISTS (SELECT FROM core.app_user) OR EXISTS (SELECT FROM core.event);

CREATE TABLE core.refresh_lock ();
COMMENT ON TABLE core.refresh_lock IS
  'Holds no rows: a lock. ROW SHARE: pieces of a refresh, and the move of the horizon; EXCLUSIVE: a new priority, an erasure, a drop of raw readings.';

CREATE TABLE core.horizon_lock ();
COMMENT ON TABLE core.horizon_lock IS
  'Holds no rows: a lock. ROW SHARE: every writer, to the end of its transaction; EXCLUSIVE: the announcement of a horizon, a new priority, an erasure, a drop of raw readings.';

CREATE TABLE core.enrolment_lock ();
COMMENT ON TABLE core.enrolment_lock IS
  'Holds no rows: a lock. EXCLUSIVE: the registration of names.';

CREATE TABLE core.claim (
  -- Fixed widths first, so that no padding lies between them.
  session_start timestamptz,
  pid           int,
  role          oid,
  name          text NOT NULL,
  CONSTRAINT claim_is_one_row_per_name PRIMARY KEY (name),
  CONSTRAINT claim_name_is_known CHECK (name IN ('refresher', 'events', 'upkeep')),
  CONSTRAINT claim_names_a_whole_session CHECK (num_nulls(session_start, pid, role) IN (0, 3))
-- Rewritten by each claim: with room in its page, no index entry is written for it.
) WITH (fillfactor = 50);
COMMENT ON TABLE core.claim IS
  'What a session may have to itself beyond its transactions, a row each: the session that claimed it last, by process, start and role. A claim ends with its session.';
INSERT INTO core.claim (name) VALUES ('refresher'), ('events'), ('upkeep');

CREATE TABLE core.channel (
  name    text NOT NULL,
  address text NOT NULL,
  CONSTRAINT channel_is_one_row_per_name PRIMARY KEY (name),
  CONSTRAINT channel_name_is_known CHECK (name IN ('readings', 'listeners'))
);
COMMENT ON TABLE core.channel IS
  'The channels on which processes of the service notify each other, under addresses that no other role can guess: any role may listen and notify on a channel that it can name.';
INSERT INTO core.channel (name, address)
  SELECT n, n || '_' || replace(gen_random_uuid()::text, '-', '') FROM unnest(ARRAY['readings', 'listeners']) AS n;
