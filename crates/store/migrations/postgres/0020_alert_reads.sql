-- Which fields the body of an alert has: one of the present shape is an answer as it is, any other is read and written anew.
ALTER TABLE alerts ADD COLUMN shape BIGINT NOT NULL DEFAULT 0;
-- How many alerts of each severity were first seen in each half hour (`slot`, half hours since 1970): counted as they change,
-- for the overview charts a day or a week every few seconds. Follows from `alerts` alone.
CREATE TABLE alert_timeline (
  tenant_id BYTEA NOT NULL, slot BIGINT NOT NULL, severity BIGINT NOT NULL, alerts BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, slot, severity)
);
ALTER TABLE alerts NO FORCE ROW LEVEL SECURITY;
INSERT INTO alert_timeline SELECT tenant_id, first_seen/1800000000, severity, count(*) FROM alerts GROUP BY 1, 2, 3;
ALTER TABLE alerts FORCE ROW LEVEL SECURITY;
CREATE FUNCTION alert_timed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP<>'INSERT' THEN
    UPDATE alert_timeline SET alerts=alerts-1 WHERE tenant_id=OLD.tenant_id AND slot=OLD.first_seen/1800000000 AND severity=OLD.severity;
  END IF;
  IF TG_OP<>'DELETE' THEN
    INSERT INTO alert_timeline VALUES (NEW.tenant_id, NEW.first_seen/1800000000, NEW.severity, 1)
      ON CONFLICT (tenant_id, slot, severity) DO UPDATE SET alerts=alert_timeline.alerts+1;
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER alert_timed_first AFTER INSERT OR DELETE ON alerts FOR EACH ROW EXECUTE FUNCTION alert_timed();
CREATE TRIGGER alert_timed_again AFTER UPDATE OF first_seen, severity ON alerts FOR EACH ROW
  WHEN (OLD.first_seen/1800000000<>NEW.first_seen/1800000000 OR OLD.severity<>NEW.severity) EXECUTE FUNCTION alert_timed();
