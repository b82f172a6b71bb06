-- What some ranges cover, kept united as they come, unlike by range_agg, which unites all at each row of a window.
CREATE AGGREGATE api_internal.union_of(tstzmultirange) (
  sfunc = pg_catalog.multirange_union,
  stype = tstzmultirange,
  initcond = '{}'
);

COMMENT ON AGGREGATE api_internal.union_of(tstzmultirange) IS
  'What ranges of time cover together; nothing of none.';
