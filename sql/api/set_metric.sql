-- Declares a metric of a tenant's own, or changes it.
CREATE FUNCTION api.set_metric(
  tenant_id text, name text, unit text, kind text, lowest double precision, highest double precision,
  most_per_second double precision DEFAULT NULL, title text DEFAULT NULL, topic text DEFAULT NULL, loinc text DEFAULT NULL
) RETURNS void
-- SECURITY DEFINER, so that the service can change nothing of the registry but this.
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  shown CONSTANT text := coalesce(title, name);
  heading CONSTANT text := coalesce(topic, 'other');
  most CONSTANT int := api_internal.setting('own_metrics')::int;
  present core.metric;
  is_closed boolean;
BEGIN
  -- What changes nothing takes no lock: one snapshot shows that, and whether the tenant is open.
  SELECT t.closed_at IS NOT NULL INTO is_closed
    FROM core.metric AS m
    JOIN core.tenant AS t USING (tenant_key)
   WHERE t.tenant_id = set_metric.tenant_id AND m.name = set_metric.name
     AND (m.unit, m.kind, m.lowest, m.highest, m.most_per_second, m.title, m.topic, m.loinc) IS NOT DISTINCT FROM
         (set_metric.unit, set_metric.kind, set_metric.lowest, set_metric.highest, set_metric.most_per_second, shown, heading,
          set_metric.loinc);
  IF FOUND THEN
    IF is_closed THEN
      PERFORM api_internal.require_open(ARRAY[tenant_id]);
    END IF;
    RETURN;
  END IF;

  IF name !~ '^([a-z][a-z0-9_]{0,62}:)?[a-z][a-z0-9_]{0,62}$' THEN
    RAISE EXCEPTION 'name is %', name
      USING ERRCODE = 'invalid_parameter_value', COLUMN = 'name',
            HINT = 'It must be a lower-case letter and up to 62 more, digits or underscores, such as lactate; a vendor and a colon may precede, as in acme:strain.';
  ELSIF EXISTS (SELECT FROM core.metric AS m WHERE m.tenant_key IS NULL AND m.name = set_metric.name) THEN
    RAISE EXCEPTION 'name is %', name
      USING ERRCODE = 'invalid_parameter_value', COLUMN = 'name', HINT = 'It must be another one: this metric is built in.';
  ELSIF name IN ('user_id', 'device_id', 'timestamp', 'ts', 'readings', 'end', 'worn', 'daily_total', 'metrics') THEN
    RAISE EXCEPTION 'name is %', name
      USING ERRCODE = 'invalid_parameter_value', COLUMN = 'name', HINT = 'It must be another one: readings have a field of that name.';
  ELSIF name = 'all' THEN
    RAISE EXCEPTION 'name is %', name
      USING ERRCODE = 'invalid_parameter_value', COLUMN = 'name', HINT = 'It must be another one: questions ask for every metric by it.';
  ELSIF lowest >= highest THEN
    RAISE EXCEPTION 'highest is %', highest
      USING ERRCODE = 'invalid_parameter_value', COLUMN = 'highest', HINT = format('It must be more than lowest, %s.', lowest);
  ELSIF kind = 'sum' AND lowest < 0 THEN
    RAISE EXCEPTION 'lowest is %', lowest
      USING ERRCODE = 'invalid_parameter_value', COLUMN = 'lowest', HINT = 'It must be 0 or more, as a sum counts up.';
  ELSIF kind <> 'sum' AND most_per_second IS NOT NULL THEN
    RAISE EXCEPTION 'most_per_second is %', most_per_second
      USING ERRCODE = 'invalid_parameter_value', COLUMN = 'most_per_second', HINT = format('It must be null for the kind %s.', kind);
  END IF;

  PERFORM api_internal.require_open(ARRAY[tenant_id]);
  IF NOT EXISTS (SELECT FROM core.tenant AS t WHERE t.tenant_id = set_metric.tenant_id) THEN
    PERFORM api_internal.enrol_tenants(ARRAY[tenant_id]);
  END IF;
  -- One at a time, so that the count holds; readers go on.
  LOCK TABLE core.metric IN SHARE ROW EXCLUSIVE MODE;
  SELECT m.* INTO present
    FROM core.metric AS m
    JOIN core.tenant AS t USING (tenant_key)
   WHERE t.tenant_id = set_metric.tenant_id AND m.name = set_metric.name;
  IF NOT FOUND THEN
    IF (SELECT count(*) FROM core.metric AS m JOIN core.tenant AS t USING (tenant_key)
         WHERE t.tenant_id = set_metric.tenant_id) >= most THEN
      RAISE EXCEPTION 'the tenant has % metrics of its own', most
        USING ERRCODE = 'invalid_parameter_value', HINT = 'An operator may raise own_metrics in core.setting.';
    END IF;
    INSERT INTO core.metric (tenant_key, name, unit, kind, lowest, highest, most_per_second, title, topic, loinc)
      SELECT t.tenant_key, name, unit, kind, lowest, highest, most_per_second, shown, heading, loinc
        FROM core.tenant AS t
       WHERE t.tenant_id = set_metric.tenant_id;
  ELSE
    IF unit <> present.unit THEN
      RAISE EXCEPTION 'unit is %', unit
        USING ERRCODE = 'invalid_parameter_value', COLUMN = 'unit',
              HINT = format('It must be %s, as declared; declare another metric for another unit.', present.unit);
    ELSIF kind <> present.kind THEN
      RAISE EXCEPTION 'kind is %', kind
        USING ERRCODE = 'invalid_parameter_value', COLUMN = 'kind',
              HINT = format('It must be %s, as declared; declare another metric for another kind.', present.kind);
    ELSIF lowest > present.lowest THEN
      RAISE EXCEPTION 'lowest is %', lowest
        USING ERRCODE = 'invalid_parameter_value', COLUMN = 'lowest',
              HINT = format('It must be at most %s, as declared; bounds only widen.', present.lowest);
    ELSIF highest < present.highest THEN
      RAISE EXCEPTION 'highest is %', highest
        USING ERRCODE = 'invalid_parameter_value', COLUMN = 'highest',
              HINT = format('It must be at least %s, as declared; bounds only widen.', present.highest);
    ELSIF most_per_second < coalesce(present.most_per_second, 'infinity') THEN
      RAISE EXCEPTION 'most_per_second is %', most_per_second
        USING ERRCODE = 'invalid_parameter_value', COLUMN = 'most_per_second',
              HINT = 'It must be null' || coalesce(' or at least ' || present.most_per_second, '') || ', as declared; bounds only widen.';
    END IF;
    UPDATE core.metric AS m
       SET lowest = set_metric.lowest, highest = set_metric.highest, most_per_second = set_metric.most_per_second, title = shown,
           topic = heading, loinc = set_metric.loinc
     WHERE m.metric_key = present.metric_key;
  END IF;
  PERFORM api_internal.note_act('set metric', tenant_id,
    jsonb_strip_nulls(jsonb_build_object('metric', name, 'lowest', lowest, 'highest', highest, 'most_per_second', most_per_second)));
END
$$;

COMMENT ON FUNCTION api.set_metric IS
  'Declares a metric of a tenant''s own, or changes it to what is given: without a title it is shown by its name, without a topic under other. Its unit and kind never change, its bounds only widen; the name of a built-in metric is refused, and so is one metric more than the setting own_metrics allows.';
