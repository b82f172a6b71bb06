-- How far a timestamp may lie behind and ahead of now.
SELECT oldest, newest - now() AS future_tolerance FROM api_internal.timestamp_bounds()
