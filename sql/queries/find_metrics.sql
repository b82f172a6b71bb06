-- The metrics of these names; an unknown one is an error that suggests the most similar one.
SELECT m.name FROM api_internal.find_metrics(%(tenant_id)s, %(metrics)s::text[]) AS m
