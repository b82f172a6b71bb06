SELECT delete_job(job_id) FROM timescaledb_information.jobs WHERE proc_schema = 'core' AND proc_name = 'run_upkeep';
DROP PROCEDURE core.run_upkeep;
DROP TABLE core.verification;
DELETE FROM core.setting WHERE name = 'late_window';
SELECT decompress_chunk(c, true) FROM show_chunks('core.reading') AS c;
ALTER TABLE core.reading SET (timescaledb.compress = false);
