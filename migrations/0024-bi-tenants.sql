-- Which tenant a BI login may see, and for how long it may run.
CREATE TABLE core.bi_login (
  role       regrole NOT NULL,
  tenant_key int NOT NULL,
  CONSTRAINT bi_login_is_bound_once PRIMARY KEY (role),
  CONSTRAINT bi_login_belongs_to_a_tenant FOREIGN KEY (tenant_key) REFERENCES core.tenant ON DELETE CASCADE
);
COMMENT ON TABLE core.bi_login IS
  'The tenant that a BI login is bound to: its sessions see the rows of that tenant only. A member of bi_reader without a row sees all tenants, a member of bi_tenant without a row sees none.';

INSERT INTO core.setting (name, value, description) VALUES
  ('bi_time_limit', '15 minutes',
   'interval: sessions of BI logins whose transaction lasts longer are ended; null ends none');
