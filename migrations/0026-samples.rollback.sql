DROP TABLE core.sample_series;
DROP TABLE core.sample;
