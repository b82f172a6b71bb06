-- The schema that everyone but the tables themselves lives in.
CREATE SCHEMA api;
COMMENT ON SCHEMA api IS
  'The only schema for the service, BI tools and people: views and functions. Rebuilt by each release; put your own objects elsewhere.';
