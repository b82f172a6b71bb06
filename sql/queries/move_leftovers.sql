-- What a database has of a tenant; one row.
SELECT (SELECT count(*) FROM core.app_user AS u JOIN core.tenant AS t USING (tenant_key) WHERE t.tenant_id = %(tenant_id)s) AS users,
       (SELECT count(*) FROM core.device AS d JOIN core.tenant AS t USING (tenant_key) WHERE t.tenant_id = %(tenant_id)s) AS devices,
       (SELECT count(*) FROM core.event_id AS e JOIN core.tenant AS t USING (tenant_key) WHERE t.tenant_id = %(tenant_id)s) AS events
