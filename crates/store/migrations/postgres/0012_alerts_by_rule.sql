-- The alerts of a rule, newest last: a list of them, and how many are alike.
CREATE INDEX alerts_by_rule ON alerts (tenant_id, rule_id, id);
-- Serves lists of a status and a severity too, not counts alone.
DROP INDEX alerts_by_words;
CREATE INDEX alerts_by_words ON alerts (tenant_id, status, severity, id, verdict);
