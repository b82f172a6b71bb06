-- The addresses of the channels readings and listeners.
SELECT name, address FROM core.channel
