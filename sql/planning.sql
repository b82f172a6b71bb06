-- Planner settings of this database.
DO $$
BEGIN
  -- JIT compilation took 53 of the 57 seconds of raw queries over a year of chunks: plans are wide, not long-running.
  EXECUTE format('ALTER DATABASE %I SET jit = off', current_database());
EXCEPTION
  WHEN insufficient_privilege THEN
    RAISE WARNING 'jit stays on: have the owner of the database run ALTER DATABASE % SET jit = off', quote_ident(current_database());
END
$$;
