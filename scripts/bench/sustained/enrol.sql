-- Register wearers and their devices from one number to another.
SELECT cardinality(enrol_users(n.tenants, n.users)) + cardinality(enrol_devices(n.tenants, n.devices))
  FROM (SELECT array_agg(%(tenant)s::text) AS tenants,
               array_agg('wearer-' || lpad(number::text, 8, '0')) AS users,
               array_agg('band-' || lpad(number::text, 8, '0')) AS devices
          FROM generate_series(%(first)s::int, %(last)s::int) AS number) AS n
