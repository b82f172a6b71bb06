DROP TABLE core.audit;
