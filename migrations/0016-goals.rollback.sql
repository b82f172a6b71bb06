DROP TABLE core.goal;
