-- What people are to be told of. A notice is written in the transaction that it tells of; whom it goes to is looked up when
-- it is due, and then it has one letter for each receiver and channel.
CREATE TABLE outbox (
  tenant_id BLOB NOT NULL, id BLOB NOT NULL, kind TEXT NOT NULL, plan_id BLOB, action_id BLOB, step INTEGER NOT NULL, at INTEGER NOT NULL,
  due_at INTEGER NOT NULL, state TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_due ON outbox (tenant_id, due_at, id) WHERE state='waiting';
CREATE INDEX outbox_plan ON outbox (tenant_id, plan_id, id) WHERE plan_id IS NOT NULL;
CREATE INDEX outbox_action ON outbox (tenant_id, action_id, id) WHERE action_id IS NOT NULL;
CREATE TABLE outbox_letters (
  tenant_id BLOB NOT NULL, id BLOB NOT NULL, notice_id BLOB NOT NULL, kind TEXT NOT NULL, channel TEXT NOT NULL, state TEXT NOT NULL,
  attempts INTEGER NOT NULL, at INTEGER NOT NULL, next_at INTEGER NOT NULL, ended_at INTEGER, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_letters_due ON outbox_letters (tenant_id, next_at, id) WHERE state='queued';
-- Where a tenant wants to be told; with the secret of its webhook, sealed.
CREATE TABLE notification_settings (
  tenant_id BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL, body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
