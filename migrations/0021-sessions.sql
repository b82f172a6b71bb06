-- Who is signed in on the dashboard, and tickets that open one WebSocket each; of both only digests are kept.
CREATE TABLE core.session (
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  session_id text COLLATE "C" NOT NULL,
  key_id     text COLLATE "C" NOT NULL,
  digest     bytea NOT NULL,
  CONSTRAINT session_identity PRIMARY KEY (session_id),
  CONSTRAINT session_ends_with_its_key FOREIGN KEY (key_id) REFERENCES core.access_key ON DELETE CASCADE,
  CONSTRAINT session_id_is_16_hexadecimal_digits CHECK (session_id ~ '^[0-9a-f]{16}$'),
  CONSTRAINT session_digest_is_sha_256 CHECK (octet_length(digest) = 32)
);
CREATE INDEX session_by_key ON core.session (key_id, created_at);
CREATE INDEX session_by_end ON core.session (expires_at);
COMMENT ON TABLE core.session IS
  'Browsers that are signed in, each with what its key may do. A session ends when it expires, and with its key.';
COMMENT ON COLUMN core.session.session_id IS 'The public part of what the cookie holds; no key has an id of this length.';
COMMENT ON COLUMN core.session.digest IS 'SHA-256 of the secret part, which is 256 random bits.';

CREATE TABLE core.ticket (
  expires_at timestamptz NOT NULL,
  key_id     text COLLATE "C" NOT NULL,
  session_id text COLLATE "C",
  digest     bytea NOT NULL,
  CONSTRAINT ticket_identity PRIMARY KEY (digest),
  CONSTRAINT ticket_ends_with_its_key FOREIGN KEY (key_id) REFERENCES core.access_key ON DELETE CASCADE,
  CONSTRAINT ticket_ends_with_its_session FOREIGN KEY (session_id) REFERENCES core.session ON DELETE CASCADE,
  CONSTRAINT ticket_digest_is_sha_256 CHECK (octet_length(digest) = 32)
);
CREATE INDEX ticket_by_key ON core.ticket (key_id);
CREATE INDEX ticket_by_session ON core.ticket (session_id);
CREATE INDEX ticket_by_end ON core.ticket (expires_at);
COMMENT ON TABLE core.ticket IS
  'Tickets that were not used yet: each opens one WebSocket, whose client can send neither a key nor a cookie, and is deleted by that.';
COMMENT ON COLUMN core.ticket.session_id IS 'The session that asked for the ticket; null where a key did.';
COMMENT ON COLUMN core.ticket.digest IS 'SHA-256 of the ticket, which is 256 random bits.';
