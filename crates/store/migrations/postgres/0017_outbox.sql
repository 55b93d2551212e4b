-- What people are to be told of. A notice is written in the transaction that it tells of; whom it goes to is looked up when
-- it is due, and then it has one letter for each receiver and channel.
CREATE TABLE outbox (
  tenant_id BYTEA NOT NULL, id BYTEA NOT NULL, kind TEXT COLLATE "C" NOT NULL, plan_id BYTEA, action_id BYTEA, step BIGINT NOT NULL, at BIGINT NOT NULL,
  due_at BIGINT NOT NULL, state TEXT COLLATE "C" NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX outbox_due ON outbox (tenant_id, due_at, id) WHERE state='waiting';
CREATE INDEX outbox_plan ON outbox (tenant_id, plan_id, id) WHERE plan_id IS NOT NULL;
CREATE INDEX outbox_action ON outbox (tenant_id, action_id, id) WHERE action_id IS NOT NULL;
CREATE TABLE outbox_letters (
  tenant_id BYTEA NOT NULL, id BYTEA NOT NULL, notice_id BYTEA NOT NULL, kind TEXT COLLATE "C" NOT NULL, channel TEXT COLLATE "C" NOT NULL, state TEXT COLLATE "C" NOT NULL,
  attempts BIGINT NOT NULL, at BIGINT NOT NULL, next_at BIGINT NOT NULL, ended_at BIGINT, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX outbox_letters_due ON outbox_letters (tenant_id, next_at, id) WHERE state='queued';
-- Where a tenant wants to be told; with the secret of its webhook, sealed.
CREATE TABLE notification_settings (
  tenant_id BYTEA NOT NULL PRIMARY KEY, version BIGINT NOT NULL, at BIGINT NOT NULL, actor TEXT COLLATE "C" NOT NULL, body BYTEA NOT NULL
);
