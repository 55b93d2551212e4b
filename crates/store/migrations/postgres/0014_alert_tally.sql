-- How many alerts there are of each status, severity and verdict ('' is none): counted as they change, for an overview reads
-- it every few seconds. Follows from `alerts` alone.
CREATE TABLE alert_tally (
  tenant_id BYTEA NOT NULL, status TEXT COLLATE "C" NOT NULL, severity BIGINT NOT NULL, verdict TEXT COLLATE "C" NOT NULL, alerts BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, status, severity, verdict)
);
ALTER TABLE alerts NO FORCE ROW LEVEL SECURITY;
INSERT INTO alert_tally SELECT tenant_id, status, severity, COALESCE(verdict, ''), count(*) FROM alerts GROUP BY 1, 2, 3, 4;
ALTER TABLE alerts FORCE ROW LEVEL SECURITY;
CREATE FUNCTION alert_tallied() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP<>'INSERT' THEN
    UPDATE alert_tally SET alerts=alerts-1
      WHERE tenant_id=OLD.tenant_id AND status=OLD.status AND severity=OLD.severity AND verdict=COALESCE(OLD.verdict, '');
  END IF;
  IF TG_OP<>'DELETE' THEN
    INSERT INTO alert_tally VALUES (NEW.tenant_id, NEW.status, NEW.severity, COALESCE(NEW.verdict, ''), 1)
      ON CONFLICT (tenant_id, status, severity, verdict) DO UPDATE SET alerts=alert_tally.alerts+1;
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER alert_came_or_went AFTER INSERT OR DELETE ON alerts FOR EACH ROW EXECUTE FUNCTION alert_tallied();
CREATE TRIGGER alert_changed AFTER UPDATE OF status, severity, verdict ON alerts FOR EACH ROW
  WHEN (OLD.status<>NEW.status OR OLD.severity<>NEW.severity OR OLD.verdict IS DISTINCT FROM NEW.verdict) EXECUTE FUNCTION alert_tallied();
