-- What users see, and what it stands on. Both are rebuilt by each release.
CREATE SCHEMA api;
COMMENT ON SCHEMA api IS
  'The schema for BI tools and people: views and functions. Rebuilt by each release; put your own objects elsewhere.';

CREATE SCHEMA api_internal;
COMMENT ON SCHEMA api_internal IS
  'What the schema api and the service are built from. It may change with any release: call what is in api instead.';
