-- What was done to one row stays an index look-up where it was done to many rows at once, or to a record that left quarantine since.
CREATE INDEX audit_changed ON audit USING gin (((body::jsonb) #> '{effect,changed}'))
  WHERE phase = 'outcome' AND ((body::jsonb) #> '{effect,changed}') IS NOT NULL;
CREATE INDEX erp_quarantine_erp ON erp_quarantine (erp_id, id);
