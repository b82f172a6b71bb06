-- Store new readings by key, in a transaction that has begun.
COPY core.reading (user_key, device_key, ts, heart_rate, steps, calories) FROM STDIN (FORMAT binary)
