-- How many alerts there are of each status, severity and verdict ('' is none): counted as they change, for an overview reads
-- it every few seconds. Follows from `alerts` alone.
CREATE TABLE alert_tally (
  tenant_id BLOB NOT NULL, status TEXT NOT NULL, severity INTEGER NOT NULL, verdict TEXT NOT NULL, alerts INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, status, severity, verdict)
) STRICT, WITHOUT ROWID;
INSERT INTO alert_tally SELECT tenant_id, status, severity, COALESCE(verdict, ''), count(*) FROM alerts GROUP BY 1, 2, 3, 4;
CREATE TRIGGER alert_came AFTER INSERT ON alerts
BEGIN
  INSERT INTO alert_tally VALUES (NEW.tenant_id, NEW.status, NEW.severity, COALESCE(NEW.verdict, ''), 1)
    ON CONFLICT (tenant_id, status, severity, verdict) DO UPDATE SET alerts=alerts+1;
END;
CREATE TRIGGER alert_went AFTER DELETE ON alerts
BEGIN
  UPDATE alert_tally SET alerts=alerts-1
    WHERE tenant_id=OLD.tenant_id AND status=OLD.status AND severity=OLD.severity AND verdict=COALESCE(OLD.verdict, '');
END;
CREATE TRIGGER alert_changed AFTER UPDATE OF status, severity, verdict ON alerts
WHEN OLD.status<>NEW.status OR OLD.severity<>NEW.severity OR OLD.verdict IS NOT NEW.verdict
BEGIN
  UPDATE alert_tally SET alerts=alerts-1
    WHERE tenant_id=OLD.tenant_id AND status=OLD.status AND severity=OLD.severity AND verdict=COALESCE(OLD.verdict, '');
  INSERT INTO alert_tally VALUES (NEW.tenant_id, NEW.status, NEW.severity, COALESCE(NEW.verdict, ''), 1)
    ON CONFLICT (tenant_id, status, severity, verdict) DO UPDATE SET alerts=alerts+1;
END;
