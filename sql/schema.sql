-- The public schema and the private one behind it. Both are rebuilt by each release.
CREATE SCHEMA api;
COMMENT ON SCHEMA api IS
  'The schema for BI tools and people: views and functions. Rebuilt by each release; put your own objects elsewhere.';

CREATE SCHEMA api_internal;
COMMENT ON SCHEMA api_internal IS
  'Private objects behind the schema api and the service. They may change with any release: use the objects of api instead.';
