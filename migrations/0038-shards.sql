-- Tenants in several databases: which database each is in, and what a move from one to another stands on.
--
-- Every database has these tables; the map and the moves are read in the home database only.
ALTER TABLE core.tenant ADD COLUMN closed_at timestamptz;
COMMENT ON COLUMN core.tenant.closed_at IS
  'Since when this database takes no writes of the tenant, because they belong into another one or are about to; null where it takes them. A tenant that has left keeps its closed row, so that no late writer brings it back.';
CREATE INDEX tenant_is_closed ON core.tenant (tenant_id) WHERE closed_at IS NOT NULL;

CREATE TABLE core.tenant_shard (
  tenant_id text COLLATE "C" NOT NULL,
  shard     text COLLATE "C" NOT NULL,
  CONSTRAINT tenant_is_in_one_shard PRIMARY KEY (tenant_id)
);
COMMENT ON TABLE core.tenant_shard IS
  'Which database the users, devices, readings and events of a tenant are in, by its name in SHARD_DATABASE_URLS, or home; a tenant without a row is in the home database.';

CREATE TABLE core.tenant_move (
  started_at  timestamptz NOT NULL DEFAULT now(),
  fenced_at   timestamptz,
  switched_at timestamptz,
  opened_at   timestamptz,
  tenant_id   text COLLATE "C" NOT NULL,
  source      text COLLATE "C" NOT NULL,
  target      text COLLATE "C" NOT NULL,
  CONSTRAINT tenant_moves_once_at_a_time PRIMARY KEY (tenant_id),
  CONSTRAINT tenant_moves_somewhere CHECK (source <> target),
  CONSTRAINT move_switches_once_fenced CHECK (switched_at IS NULL OR fenced_at IS NOT NULL),
  CONSTRAINT move_opens_once_switched CHECK (opened_at IS NULL OR switched_at IS NOT NULL)
);
COMMENT ON TABLE core.tenant_move IS
  'Moves of tenants from one database to another that are under way, or whose copy in the old database is still there: since when the tenant is copied, takes no writes, is in the new database by the map, and takes writes there.';

CREATE TABLE core.moving_tenant (
  copied_until timestamptz NOT NULL,
  tenant_key   int NOT NULL,
  CONSTRAINT moving_tenant_identity PRIMARY KEY (tenant_key),
  CONSTRAINT moving_tenant_is_here FOREIGN KEY (tenant_key) REFERENCES core.tenant
);
COMMENT ON TABLE core.moving_tenant IS
  'Tenants that are being copied to another database. What was written before copied_until, a horizon, and is not in core.touched_day has been copied.';

-- No key: every writer adds rows of its own, and waits for no other.
CREATE TABLE core.touched_day (
  entry      bigint GENERATED ALWAYS AS IDENTITY,
  day        timestamptz NOT NULL,
  tenant_key int NOT NULL,
  user_key   int
);
COMMENT ON TABLE core.touched_day IS
  'Days (UTC) of users of moving tenants that are to be copied, again where they were already: what writers below the horizon have marked stale, and days of daily totals. -infinity stands for all days; without a user, it is the events of the day. Only the move deletes rows, once it has copied what was there when it read them.';

-- Writers leave marks of what they change below the horizon; a move reads along. What lies above, it copies again in the end.
-- SECURITY DEFINER, since writers have no other business with these tables.
CREATE FUNCTION core.note_touched_days() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF EXISTS (SELECT FROM core.moving_tenant) THEN
    INSERT INTO core.touched_day (day, tenant_key, user_key)
      SELECT DISTINCT n.day, m.tenant_key, n.user_key
        FROM touched AS n
        JOIN core.app_user AS u USING (user_key)
        JOIN core.moving_tenant AS m USING (tenant_key);
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION core.note_touched_days IS 'The trigger of core.stale_day: notes the days of users of moving tenants in core.touched_day.';
CREATE TRIGGER marks_are_noted_for_moves AFTER INSERT ON core.stale_day
  REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION core.note_touched_days();

CREATE FUNCTION core.note_touched_totals() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF EXISTS (SELECT FROM core.moving_tenant) THEN
    INSERT INTO core.touched_day (day, tenant_key, user_key)
      SELECT DISTINCT public.time_bucket(INTERVAL '24 hours', n.ts), m.tenant_key, n.user_key
        FROM touched AS n
        JOIN core.app_user AS u USING (user_key)
        JOIN core.moving_tenant AS m USING (tenant_key);
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION core.note_touched_totals IS 'The trigger of core.daily_total, of which nothing is marked stale: notes the days in core.touched_day.';
CREATE TRIGGER new_totals_are_noted_for_moves AFTER INSERT ON core.daily_total
  REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION core.note_touched_totals();
CREATE TRIGGER changed_totals_are_noted_for_moves AFTER UPDATE ON core.daily_total
  REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION core.note_touched_totals();
CREATE TRIGGER deleted_totals_are_noted_for_moves AFTER DELETE ON core.daily_total
  REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION core.note_touched_totals();

CREATE FUNCTION core.note_touched_events() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF EXISTS (SELECT FROM core.moving_tenant) THEN
    INSERT INTO core.touched_day (day, tenant_key)
      SELECT DISTINCT n.day, m.tenant_key FROM touched AS n JOIN core.moving_tenant AS m USING (tenant_key);
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION core.note_touched_events IS 'The trigger of core.stale_event_day: notes the days of events of moving tenants in core.touched_day.';
CREATE TRIGGER marks_of_events_are_noted_for_moves AFTER INSERT ON core.stale_event_day
  REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION core.note_touched_events();
CREATE TRIGGER further_marks_of_events_are_noted_for_moves AFTER UPDATE ON core.stale_event_day
  REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION core.note_touched_events();

ALTER TABLE core.claim DROP CONSTRAINT claim_name_is_known;
ALTER TABLE core.claim ADD CONSTRAINT claim_name_is_known CHECK (name IN ('refresher', 'events', 'upkeep', 'move'));
INSERT INTO core.claim (name) VALUES ('move');
