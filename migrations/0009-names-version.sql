-- Processes keep the keys of names; this number tells them when to forget.
CREATE TABLE core.names_version (version bigint NOT NULL);
COMMENT ON TABLE core.names_version IS 'Counts erasures: a process that keeps keys of names drops them when this number changes.';
INSERT INTO core.names_version (version) VALUES (0);
CREATE UNIQUE INDEX names_version_is_one_row ON core.names_version ((true));
