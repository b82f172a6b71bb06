-- How far behind and ahead of now a timestamp may be.
SELECT oldest, newest - now() AS future_tolerance FROM api_internal.timestamp_bounds()
