-- Tenants that the home database knows, the database that each is in, and its move.
SELECT tenant_id, coalesce(s.shard, 'home') AS shard,
       CASE WHEN m.opened_at IS NOT NULL THEN 'moved; its copy in ' || m.source || ' is to be removed'
            WHEN m.switched_at IS NOT NULL THEN 'switched from ' || m.source || ', not open yet'
            WHEN m.fenced_at IS NOT NULL THEN 'fenced on its way to ' || m.target
            WHEN m.started_at IS NOT NULL THEN 'copied to ' || m.target
            ELSE '' END AS move
  FROM core.tenant AS t
  FULL JOIN core.tenant_shard AS s USING (tenant_id)
  FULL JOIN core.tenant_move AS m USING (tenant_id)
 ORDER BY 1
