-- The operator changes the state of deliveries and events, and nothing else of them: 0006 granted UPDATE on the whole tables beside the columns, and
-- inserts, which planning does as the worker. A revoked table takes its columns along, so they are granted anew.
REVOKE INSERT, UPDATE ON binding, delivery, desired FROM rosh_operator;
REVOKE UPDATE ON channel, api_token FROM rosh_operator;
GRANT UPDATE (state, cause, summary, reason, tries, due_at, lease, lease_until, counted_lease, unfinished, unfinished_alone, suspect, state_version, ended_at,
  archived_at, replays) ON delivery TO rosh_operator;
-- A replay locks its bindings, and a row lock needs UPDATE on some column: this one only says when the reconciler looked last.
GRANT UPDATE (compared_at) ON binding TO rosh_operator;
GRANT UPDATE (last_used_at, revoked_at) ON api_token TO rosh_operator;
