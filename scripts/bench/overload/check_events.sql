-- What is stored of events, by block.
SELECT event_id::bigint / %(size)s::bigint AS block,
       count(*) AS readings,
       0 AS oldest,
       0 AS newest,
       bool_and(payload = jsonb_build_object('number', event_id::bigint)
                AND ts = to_timestamp(%(start)s::bigint / 1000000) + event_id::bigint * %(step)s * INTERVAL '1 microsecond'
                ) AS is_right
  FROM api.events
 WHERE tenant_id = %(people)s
 GROUP BY 1
