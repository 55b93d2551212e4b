-- What was withheld on an alert is asked for by the alert, with each match that it grows by.
CREATE INDEX throttle_slots_by_alert ON throttle_slots (tenant_id, alert_id);
