-- How far event time has come. Of a source: everything up to its watermark is thought to be here; nothing while none of its
-- events had a time to believe. `seen_at` is our own clock, for telling who is silent.
ALTER TABLE source_stats ADD COLUMN watermark_at BIGINT;
ALTER TABLE source_stats ADD COLUMN late BIGINT NOT NULL DEFAULT 0;
ALTER TABLE source_stats ADD COLUMN seen_at BIGINT NOT NULL DEFAULT 0;
-- Of a tenant, beside the place of its consumer: it never goes back.
ALTER TABLE offsets ADD COLUMN watermark_at BIGINT;
