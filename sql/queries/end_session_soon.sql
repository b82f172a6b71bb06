-- Have the server end this session within seconds once its process or machine is gone or blocked.
SELECT set_config(s.name, v.value, false)
  FROM (VALUES ('tcp_keepalives_idle', '2'), ('tcp_keepalives_interval', '1'), ('tcp_keepalives_count', '3'),
               ('tcp_user_timeout', '5s'), ('client_connection_check_interval', '2s'),
               ('idle_session_timeout', '5s')) AS v (name, value)
  -- Not every server supports all of these settings.
  JOIN pg_settings AS s USING (name)
