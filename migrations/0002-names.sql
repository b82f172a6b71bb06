-- Names and keys. Facts carry the small integer keys, so a person is named in one row of core.app_user only.

CREATE TABLE core.tenant (
  registered_at timestamptz NOT NULL DEFAULT now(),
  tenant_key    int GENERATED ALWAYS AS IDENTITY,
  tenant_id     text COLLATE "C" NOT NULL,
  CONSTRAINT tenant_identity PRIMARY KEY (tenant_key),
  CONSTRAINT tenant_id_is_unique UNIQUE (tenant_id),
  CONSTRAINT tenant_id_has_1_to_128_characters CHECK (char_length(tenant_id) BETWEEN 1 AND 128)
);
COMMENT ON TABLE core.tenant IS
  'Who owns users, devices and events. Readings that name no tenant belong to the tenant default.';

CREATE TABLE core.app_user (
  registered_at timestamptz NOT NULL DEFAULT now(),
  user_key      int GENERATED ALWAYS AS IDENTITY,
  tenant_key    int NOT NULL,
  user_id       text COLLATE "C" NOT NULL,
  CONSTRAINT app_user_identity PRIMARY KEY (user_key),
  CONSTRAINT user_id_is_unique_in_its_tenant UNIQUE (tenant_key, user_id),
  CONSTRAINT app_user_belongs_to_a_tenant FOREIGN KEY (tenant_key) REFERENCES core.tenant,
  CONSTRAINT user_id_has_1_to_128_characters CHECK (char_length(user_id) BETWEEN 1 AND 128)
);
COMMENT ON TABLE core.app_user IS
  'People whose readings are kept, one row each; the only place that names them.';

CREATE TABLE core.device (
  registered_at timestamptz NOT NULL DEFAULT now(),
  device_key    int GENERATED ALWAYS AS IDENTITY,
  tenant_key    int NOT NULL,
  priority      int NOT NULL,
  device_id     text COLLATE "C" NOT NULL,
  name          text,
  CONSTRAINT device_identity PRIMARY KEY (device_key),
  CONSTRAINT device_id_is_unique_in_its_tenant UNIQUE (tenant_key, device_id),
  CONSTRAINT device_belongs_to_a_tenant FOREIGN KEY (tenant_key) REFERENCES core.tenant,
  CONSTRAINT device_priority_is_not_negative CHECK (priority >= 0),
  CONSTRAINT device_id_has_1_to_128_characters CHECK (char_length(device_id) BETWEEN 1 AND 128)
);
COMMENT ON TABLE core.device IS
  'Devices by tenant. The smaller priority wins where several devices report the same metric in the same minute; then the smaller device_key, which is the one registered first.';

CREATE TABLE core.known_device (
  priority    int NOT NULL,
  device_id   text COLLATE "C" NOT NULL,
  description text,
  CONSTRAINT known_device_is_unique PRIMARY KEY (device_id),
  CONSTRAINT known_device_priority_is_not_negative CHECK (priority >= 0)
);
COMMENT ON TABLE core.known_device IS
  'The priority that a device gets when it is first seen, by device_id; any other device gets 999.';

INSERT INTO core.known_device (device_id, priority, description) VALUES
  ('device_a', 1, 'medical grade'),
  ('device_b', 2, 'consumer wearable');
