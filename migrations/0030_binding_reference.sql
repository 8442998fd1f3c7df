-- Two accounts may number their orders alike: at Odoo our reference for an order is its number at its marketplace, so the reference alone
-- names no binding there. binding_order and binding_stock hold a binding to one order or SKU at a channel.
ALTER TABLE binding DROP CONSTRAINT binding_channel_kind_reference_key;
CREATE INDEX binding_channel_reference ON binding (channel, reference);
