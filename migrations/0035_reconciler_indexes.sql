-- What the reconciler asks for every round costs what is due, whatever the history. Never looked at comes first, as minus infinity, so that one range
-- of the index is all that is due.
CREATE INDEX binding_compared ON binding (channel, coalesce(compared_at, '-infinity'::timestamptz)) WHERE kind = 'order' AND external_id IS NOT NULL;
CREATE INDEX binding_duplicates ON binding (channel) WHERE duplicates IS NOT NULL;
CREATE INDEX silver_order_open_in_erp ON silver_order (updated_at) WHERE origin = 'odoo' AND lifecycle = 'open';
