-- Make sure that metrics are declared still, by key.
SELECT api_internal.require_metrics(%(metric_keys)s)
