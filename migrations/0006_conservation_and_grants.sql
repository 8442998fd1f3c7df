-- What goes in is accounted for, in any snapshot.
CREATE VIEW conservation AS
SELECT 'inbound' AS flow,
       count(*) AS taken,
       count(*) FILTER (WHERE state IN ('applied', 'ignored', 'pending', 'dead')) AS accounted
FROM inbound_event
UNION ALL
SELECT 'deliveries', (SELECT coalesce(sum(next_version - 1), 0) FROM binding),
       (SELECT count(*) FROM delivery WHERE state IN ('delivered', 'superseded', 'pending', 'ambiguous', 'dead'));

GRANT SELECT ON channel, api_token TO rosh_ingest;
GRANT INSERT, SELECT ON inbound_request, inbound_event TO rosh_ingest;
GRANT UPDATE (last_used_at) ON api_token TO rosh_ingest;

GRANT SELECT, INSERT, UPDATE ON channel, credential, data_key, cursor, worker_heartbeat, silver_order, identifier, resource, observation,
  binding, delivery, inbound_event, attempt, erp_quarantine, drift TO rosh_worker;
GRANT SELECT, INSERT ON desired, order_event, inbound_request TO rosh_worker;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO rosh_worker;
GRANT SELECT ON api_token TO rosh_worker;
GRANT USAGE ON SEQUENCE lease_number, fetch_number TO rosh_worker;
GRANT SELECT ON conservation TO rosh_worker;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO rosh_operator;
REVOKE SELECT ON credential, data_key FROM rosh_operator;
GRANT UPDATE (state, cause, summary, reason, tries, due_at, lease, lease_until, unfinished, unfinished_alone, state_version, ended_at, archived_at, replays) ON delivery TO rosh_operator;
GRANT UPDATE (state, cause, summary, reason, tries, due_at, lease, lease_until, unfinished, unfinished_alone, state_version, ended_at, archived_at, replays) ON inbound_event TO rosh_operator;
GRANT SELECT, INSERT, UPDATE ON binding, delivery TO rosh_operator;
GRANT INSERT ON audit, plan_token_used, desired, order_event TO rosh_operator;
GRANT UPDATE ON channel, api_token TO rosh_operator;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO rosh_operator;
GRANT INSERT ON api_token TO rosh_operator;

GRANT SELECT ON channel, silver_order, identifier, binding, desired, delivery, inbound_event, attempt, erp_quarantine, drift, cursor, worker_heartbeat,
  observation, order_event, conservation, mcp_audit_log, audit, api_token TO rosh_reader;
GRANT SELECT (id, received_at, channel, path, verdict, headers, body_sha256, body_bytes, source_ip) ON inbound_request TO rosh_reader;

GRANT SELECT ON audit, audit_head, mcp_audit_log TO rosh_auditor;
