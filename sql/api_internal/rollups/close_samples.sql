-- Moves the bound before which nothing is written any more.
CREATE FUNCTION api_internal.close_samples(bound timestamptz) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  horizon core.horizon;
BEGIN
  -- The lock order of all transactions. Excludes refreshers, which might read what is to be dropped, and writers, which must see the
  -- new bound before they store anything older. Nothing else is done under these locks.
  LOCK TABLE core.refresh_lock IN EXCLUSIVE MODE;
  SELECT h.* INTO horizon FROM core.horizon AS h FOR UPDATE;
  IF horizon.samples_from >= bound THEN
    RETURN true;
  END IF;
  LOCK TABLE core.horizon_lock IN EXCLUSIVE MODE;
  -- The smallest day is the end of an index; that no day is smaller would be asked of every mark. Latest values of readings are
  -- looked for from raw_from on, so readings before it have to be gone first.
  IF horizon.materialized < bound OR (SELECT min(s.day) FROM core.stale_day AS s WHERE s.version > 0) < bound
     OR EXISTS (SELECT FROM public.show_chunks('core.reading', older_than => bound)) THEN
    RETURN false;
  END IF;
  UPDATE core.horizon SET samples_from = bound, raw_from = greatest(raw_from, bound);
  RETURN true;
END
$$;

COMMENT ON FUNCTION api_internal.close_samples IS
  'Moves samples_from of core.horizon up to a bound, a midnight UTC, and raw_from with it, unless a stale day, time that is not materialized or a chunk of readings lies before the bound; returns whether it is closed. Afterwards nothing is accepted before the bound, regardless of the settings, and rollups alone answer there, so what is stored before it may be dropped at leisure.';
