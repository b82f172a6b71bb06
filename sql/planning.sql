-- How sessions of this database plan.
DO $$
BEGIN
  -- Compiling took 53 of the 57 seconds that raw questions over a year of chunks needed: plans here are wide, not long.
  EXECUTE format('ALTER DATABASE %I SET jit = off', current_database());
EXCEPTION
  WHEN insufficient_privilege THEN
    RAISE WARNING 'jit stays on: have the owner of the database run ALTER DATABASE % SET jit = off', quote_ident(current_database());
END
$$;
