/**
 * Variables of PostgreSQL that no statement can set, since a server's process has one session only: who has logged in, and
 * the schema of the temporary tables. They are words of the instance's memory, at addresses of the pinned package, found by
 * comparing the memory before and after the functions of `checkVariables` and a first temporary table.
 */
const CURRENT_USER = 670842;
const AUTHENTICATED_USER = 670847;
const TEMPORARY_SCHEMA = 657438;
const TEMPORARY_TOAST_SCHEMA = 657442;
const EXIT_CALLBACKS = 661654;

/** The id of the role `postgres`. */
export const OWNER = 10;

const UNUSED_ROLE = 0x5eadbee;

/** Checks that this is the build that the addresses are of. */
export function checkVariables(postgres) {
  const user = postgres._GetUserId();
  postgres._SetUserIdAndSecContext(UNUSED_ROLE, 0);
  const found = postgres.HEAP32[CURRENT_USER] === UNUSED_ROLE;
  postgres._SetUserIdAndSecContext(user, 0);
  const callbacks = postgres.HEAP32[EXIT_CALLBACKS];
  const nothing = postgres.addFunction(() => {}, "vii");
  postgres._before_shmem_exit(nothing, 0);
  const counted = postgres.HEAP32[EXIT_CALLBACKS] === callbacks + 1;
  postgres._cancel_before_shmem_exit(nothing, 0);
  postgres.removeFunction(nothing);
  if (!found || !counted || postgres.HEAP32[AUTHENTICATED_USER] !== OWNER || postgres.HEAP32[TEMPORARY_SCHEMA])
    throw new Error("another build of the npm package: the addresses in scripts/embedded/variables.mjs are not of it");
}

/** Who may become whom by SET SESSION AUTHORIZATION depends on this role. */
export function setAuthenticatedUser(postgres, role) {
  postgres.HEAP32[AUTHENTICATED_USER] = role;
}

/** The schema of temporary tables and that of their TOAST tables; zeros before the first one. */
export function temporarySchemas(postgres) {
  return [postgres.HEAPU32[TEMPORARY_SCHEMA], postgres.HEAPU32[TEMPORARY_TOAST_SCHEMA]];
}

export function setTemporarySchemas(postgres, [schema, toast]) {
  postgres.HEAPU32[TEMPORARY_SCHEMA] = schema;
  postgres.HEAPU32[TEMPORARY_TOAST_SCHEMA] = toast;
}

/**
 * How many callbacks the end of the instance will call. Each session's first temporary table adds one, and there is room
 * for 20; none is needed, since the next start drops what is left.
 */
export const exitCallbacks = (postgres) => postgres.HEAP32[EXIT_CALLBACKS];

export function setExitCallbacks(postgres, count) {
  postgres.HEAP32[EXIT_CALLBACKS] = count;
}
