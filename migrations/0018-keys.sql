-- Who may use the service: keys, of which only digests are kept.
CREATE TABLE core.access_key (
  created_at   timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz NOT NULL DEFAULT 'infinity',
  revoked_at   timestamptz,
  last_used_at timestamptz,
  tenant_key   int,
  key_id       text COLLATE "C" NOT NULL,
  name         text,
  scopes       text[] COLLATE "C" NOT NULL,
  digest       bytea NOT NULL,
  CONSTRAINT access_key_identity PRIMARY KEY (key_id),
  CONSTRAINT access_key_belongs_to_a_tenant FOREIGN KEY (tenant_key) REFERENCES core.tenant ON DELETE CASCADE,
  CONSTRAINT access_key_id_is_12_hexadecimal_digits CHECK (key_id ~ '^[0-9a-f]{12}$'),
  CONSTRAINT access_key_has_known_scopes CHECK (scopes <@ ARRAY['ingest', 'read', 'admin', 'operate'] AND cardinality(scopes) > 0),
  CONSTRAINT access_key_of_a_tenant_does_not_operate CHECK (tenant_key IS NULL OR NOT 'operate' = ANY (scopes)),
  CONSTRAINT access_key_name_has_1_to_128_characters CHECK (char_length(name) BETWEEN 1 AND 128),
  CONSTRAINT access_key_digest_is_sha_256 CHECK (octet_length(digest) = 32)
);
COMMENT ON TABLE core.access_key IS
  'Keys of clients of the service: what each may do, for one tenant or for all. A revoked key stays, so that it is known who had one.';
COMMENT ON COLUMN core.access_key.tenant_key IS 'The tenant that the key is bound to; null for all.';
COMMENT ON COLUMN core.access_key.key_id IS 'The public part of the key, which names it in lists and logs.';
COMMENT ON COLUMN core.access_key.scopes IS 'What the key may do: ingest, read, admin (of its tenant), operate (the whole installation).';
COMMENT ON COLUMN core.access_key.digest IS 'SHA-256 of the secret part, which is 256 random bits.';
COMMENT ON COLUMN core.access_key.last_used_at IS 'When a request last came with the key, to within a minute; null for never.';
