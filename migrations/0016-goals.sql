-- What users mean to reach in a week.
CREATE TABLE core.goal (
  target   double precision NOT NULL,
  user_key int NOT NULL,
  metric   text COLLATE "C" NOT NULL,
  CONSTRAINT goal_identity PRIMARY KEY (user_key, metric),
  CONSTRAINT goal_goes_with_its_user FOREIGN KEY (user_key) REFERENCES core.app_user (user_key) ON DELETE CASCADE,
  CONSTRAINT goal_metric_is_known CHECK (metric IN ('steps', 'calories', 'worn_minutes')),
  CONSTRAINT goal_target_is_positive CHECK (target > 0 AND target < 'infinity')
);
COMMENT ON TABLE core.goal IS
  'How much of a metric a user means to reach in a week: steps, calories (kilocalories) or worn_minutes.';
