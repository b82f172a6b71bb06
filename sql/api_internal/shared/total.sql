-- Sums of whole numbers stay whole: sum(bigint) has a numeric result, whose conversion costs as much as adding up ten rows.
CREATE AGGREGATE api_internal.total(bigint) (
  sfunc = int8pl,
  stype = bigint,
  combinefunc = int8pl,
  parallel = safe
);

COMMENT ON AGGREGATE api_internal.total(bigint) IS
  'The sum of the values that are not null, null if there are none: sum(bigint)::bigint, but faster for groups of few rows. An overflow is an error.';
