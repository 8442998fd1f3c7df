-- A suspect was claimed three times in a row without a finish. A column of its own, beside the count: an index over the count would make every
-- claim rewrite every index, this one only the third unfinished claim.
ALTER TABLE delivery ADD COLUMN suspect boolean NOT NULL DEFAULT false;
UPDATE delivery SET suspect = true WHERE state IN ('pending', 'ambiguous') AND unfinished >= 3;
CREATE INDEX delivery_suspect ON delivery (channel, due_at, id) WHERE suspect AND state IN ('pending', 'ambiguous');
GRANT UPDATE (suspect) ON delivery TO rosh_operator;
