DROP TABLE core.refresh_lock;
DROP TABLE core.horizon_lock;
DROP TABLE core.enrolment_lock;
DROP TABLE core.claim;
DROP TABLE core.channel;
