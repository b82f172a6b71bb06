-- Commit readings, and announce only the mark, of letters, digits and a hyphen, by which the writer recognizes its commit.
SELECT api_internal.announce('{}', '{}', '%b');
COMMIT
