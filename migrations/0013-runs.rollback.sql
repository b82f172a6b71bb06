DROP TABLE core.run;
