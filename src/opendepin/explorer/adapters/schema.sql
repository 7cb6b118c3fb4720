-- The index. A table fed by L1 logs has one row per log, keyed (height, log_index): writing twice changes nothing, and
-- a rewind deletes the rows above a height. Current states are views. Wei and field elements are decimal TEXT.
PRAGMA user_version = 1;

CREATE TABLE IF NOT EXISTS blocks(
  height INTEGER PRIMARY KEY, hash BLOB NOT NULL, parent BLOB NOT NULL, time INTEGER NOT NULL);

CREATE TABLE IF NOT EXISTS cursors(source TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS projects(
  height INTEGER NOT NULL, log_index INTEGER NOT NULL, project INTEGER NOT NULL, owner BLOB NOT NULL,
  name TEXT NOT NULL, metadata_hash BLOB NOT NULL, tx BLOB NOT NULL,
  PRIMARY KEY(height, log_index)) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS key_changes(
  height INTEGER NOT NULL, log_index INTEGER NOT NULL, device BLOB NOT NULL, project INTEGER NOT NULL,
  device_index INTEGER NOT NULL, status INTEGER NOT NULL, public BLOB NOT NULL, history BLOB NOT NULL, tx BLOB NOT NULL,
  PRIMARY KEY(height, log_index)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS key_changes_device ON key_changes(device, height, log_index);

CREATE TABLE IF NOT EXISTS owners(
  height INTEGER NOT NULL, log_index INTEGER NOT NULL, device BLOB NOT NULL, owner BLOB NOT NULL, tx BLOB NOT NULL,
  PRIMARY KEY(height, log_index)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS owners_device ON owners(device, height, log_index);

CREATE TABLE IF NOT EXISTS programs(
  height INTEGER NOT NULL, log_index INTEGER NOT NULL, program BLOB NOT NULL, project INTEGER NOT NULL,
  fields TEXT NOT NULL, tx BLOB NOT NULL,
  PRIMARY KEY(height, log_index)) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS batches(
  height INTEGER NOT NULL, log_index INTEGER NOT NULL, number INTEGER NOT NULL, header_hash BLOB NOT NULL,
  data_root BLOB NOT NULL, segments INTEGER NOT NULL, tx BLOB NOT NULL,
  PRIMARY KEY(height, log_index)) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS batches_number ON batches(number);

CREATE TABLE IF NOT EXISTS headers(
  number INTEGER PRIMARY KEY, height INTEGER NOT NULL, parent BLOB NOT NULL, segments_root BLOB NOT NULL,
  data_root BLOB NOT NULL, data_bytes INTEGER NOT NULL, time INTEGER NOT NULL, signature BLOB NOT NULL,
  attestations BLOB NOT NULL, code_k INTEGER NOT NULL, code_n INTEGER NOT NULL, messages INTEGER NOT NULL);

CREATE TABLE IF NOT EXISTS segments(
  batch INTEGER NOT NULL, segment INTEGER NOT NULL, height INTEGER NOT NULL, project INTEGER NOT NULL,
  root BLOB NOT NULL, field_root TEXT NOT NULL, count INTEGER NOT NULL, ranges TEXT NOT NULL, hash BLOB NOT NULL,
  PRIMARY KEY(batch, segment)) WITHOUT ROWID;

-- A group is known from its gateway's feed (fed = 1, height NULL) or, before the feed came to it, from a batch alone.
CREATE TABLE IF NOT EXISTS groups(
  gateway BLOB NOT NULL, project INTEGER NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL,
  identity_block INTEGER NOT NULL, include_by INTEGER NOT NULL, root BLOB NOT NULL, signature BLOB NOT NULL,
  fed INTEGER NOT NULL, height INTEGER,
  PRIMARY KEY(gateway, project, first)) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS messages(
  message_id BLOB PRIMARY KEY, gateway BLOB NOT NULL, project INTEGER NOT NULL, group_first INTEGER NOT NULL,
  position INTEGER NOT NULL, device BLOB NOT NULL, seq INTEGER NOT NULL, time_ms INTEGER NOT NULL,
  observed_s INTEGER NOT NULL, value INTEGER, raw BLOB NOT NULL) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS messages_position ON messages(gateway, project, position);
CREATE INDEX IF NOT EXISTS messages_group ON messages(gateway, project, group_first, position);
CREATE INDEX IF NOT EXISTS messages_device ON messages(device, seq);

CREATE TABLE IF NOT EXISTS places(
  batch INTEGER NOT NULL, segment INTEGER NOT NULL, ordinal INTEGER NOT NULL, height INTEGER NOT NULL,
  gateway BLOB NOT NULL, project INTEGER NOT NULL, first INTEGER NOT NULL, leaf_first INTEGER NOT NULL,
  PRIMARY KEY(batch, segment, ordinal)) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS places_group ON places(gateway, project, first);

CREATE TABLE IF NOT EXISTS tasks(
  height INTEGER NOT NULL, log_index INTEGER NOT NULL, task BLOB NOT NULL, project INTEGER NOT NULL,
  batch INTEGER NOT NULL, segment INTEGER NOT NULL, program BLOB NOT NULL, count INTEGER NOT NULL, tx BLOB NOT NULL,
  PRIMARY KEY(height, log_index)) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS tasks_task ON tasks(task);
CREATE INDEX IF NOT EXISTS tasks_segment ON tasks(batch, segment);

CREATE TABLE IF NOT EXISTS assignments(
  height INTEGER NOT NULL, log_index INTEGER NOT NULL, task BLOB NOT NULL, operator BLOB NOT NULL,
  attempt INTEGER NOT NULL, deadline INTEGER NOT NULL, tx BLOB NOT NULL,
  PRIMARY KEY(height, log_index)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS assignments_task ON assignments(task, height, log_index);

CREATE TABLE IF NOT EXISTS settlements(
  height INTEGER NOT NULL, log_index INTEGER NOT NULL, task BLOB NOT NULL, project INTEGER NOT NULL,
  producer BLOB NOT NULL, outputs_hash BLOB NOT NULL, pay_root BLOB NOT NULL, operator_paid TEXT NOT NULL,
  devices_held TEXT NOT NULL, burned TEXT NOT NULL, refunded TEXT NOT NULL, outputs TEXT, proof BLOB, gas INTEGER,
  tx BLOB NOT NULL, PRIMARY KEY(height, log_index)) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS settlements_task ON settlements(task);

CREATE TABLE IF NOT EXISTS recalls(
  height INTEGER NOT NULL, log_index INTEGER NOT NULL, task BLOB NOT NULL, tx BLOB NOT NULL,
  PRIMARY KEY(height, log_index)) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS callbacks(
  height INTEGER NOT NULL, log_index INTEGER NOT NULL, task BLOB NOT NULL, ok INTEGER NOT NULL, reason TEXT NOT NULL,
  tx BLOB NOT NULL, PRIMARY KEY(height, log_index)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS callbacks_task ON callbacks(task, height, log_index);

CREATE TABLE IF NOT EXISTS payouts(
  height INTEGER NOT NULL, log_index INTEGER NOT NULL, task BLOB NOT NULL, device_index INTEGER NOT NULL,
  device BLOB NOT NULL, owner BLOB NOT NULL, amount TEXT NOT NULL, tx BLOB NOT NULL,
  PRIMARY KEY(height, log_index)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS payouts_device ON payouts(device, height, log_index);

CREATE TABLE IF NOT EXISTS burns(
  height INTEGER NOT NULL, log_index INTEGER NOT NULL, reason TEXT NOT NULL, amount TEXT NOT NULL, tx BLOB NOT NULL,
  PRIMARY KEY(height, log_index)) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS covers(
  height INTEGER NOT NULL, log_index INTEGER NOT NULL, name TEXT NOT NULL, fields TEXT NOT NULL, tx BLOB NOT NULL,
  PRIMARY KEY(height, log_index)) WITHOUT ROWID;

CREATE VIEW IF NOT EXISTS devices AS
  SELECT k.device, k.project, k.device_index, k.status, k.public, k.history, k.height AS since,
    (SELECT min(f.height) FROM key_changes f WHERE f.device = k.device) AS registered,
    (SELECT o.owner FROM owners o WHERE o.device = k.device ORDER BY o.height DESC, o.log_index DESC LIMIT 1) AS owner
  FROM key_changes k
  WHERE NOT EXISTS (SELECT 1 FROM key_changes n WHERE n.device = k.device
    AND (n.height, n.log_index) > (k.height, k.log_index));

CREATE VIEW IF NOT EXISTS message_stages AS
  SELECT m.*, p.batch, p.segment, p.leaf_first + m.position - m.group_first AS leaf,
    b.height AS batch_height, b.header_hash, t.task, s.height AS settled_height
  FROM messages m
  LEFT JOIN places p ON p.gateway = m.gateway AND p.project = m.project AND p.first = m.group_first
  LEFT JOIN batches b ON b.number = p.batch
  LEFT JOIN tasks t ON t.batch = p.batch AND t.segment = p.segment
  LEFT JOIN settlements s ON s.task = t.task;

CREATE VIEW IF NOT EXISTS task_states AS
  SELECT t.task, t.project, t.batch, t.segment, t.program, t.count, t.height AS opened, t.tx AS opened_tx,
    a.height AS assigned, a.operator, a.attempt, a.deadline, a.tx AS assigned_tx,
    s.height AS settled, s.producer, s.outputs_hash, s.pay_root, s.operator_paid, s.devices_held, s.burned,
    s.refunded, s.outputs, s.proof, s.gas, s.tx AS settled_tx,
    (SELECT max(r.height) FROM recalls r WHERE r.task = t.task) AS recalled,
    (SELECT c.ok FROM callbacks c WHERE c.task = t.task ORDER BY c.height DESC, c.log_index DESC LIMIT 1) AS callback_ok,
    (SELECT c.reason FROM callbacks c WHERE c.task = t.task ORDER BY c.height DESC, c.log_index DESC LIMIT 1)
      AS callback_reason
  FROM tasks t
  LEFT JOIN assignments a ON a.task = t.task AND NOT EXISTS (SELECT 1 FROM assignments n
    WHERE n.task = t.task AND (n.height, n.log_index) > (a.height, a.log_index))
  LEFT JOIN settlements s ON s.task = t.task;
