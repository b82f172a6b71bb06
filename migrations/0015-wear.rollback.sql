ALTER TABLE rollup.user_15m DROP COLUMN worn_minutes;
ALTER TABLE rollup.user_1h DROP COLUMN worn_minutes;
ALTER TABLE rollup.user_1h DROP COLUMN resting_heart_rate;
ALTER TABLE rollup.user_1d DROP COLUMN worn_minutes;
ALTER TABLE rollup.user_1d DROP COLUMN resting_heart_rate;
