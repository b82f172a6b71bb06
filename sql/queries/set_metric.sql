-- Declare a metric of a tenant's own, or change it.
SELECT api.set_metric(
  %(tenant_id)s, %(name)s, %(unit)s, %(kind)s, %(lowest)s, %(highest)s, %(most_per_second)s, %(title)s, %(topic)s, %(loinc)s)
