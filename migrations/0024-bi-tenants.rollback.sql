DELETE FROM core.setting WHERE name = 'bi_time_limit';
DROP TABLE core.bi_login;
