-- Commit readings, and announce nothing but the mark, of letters, digits and a hyphen, by which their writer knows them.
SELECT api_internal.announce('{}', '{}', '%b');
COMMIT
