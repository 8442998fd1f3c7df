-- How a claim, an intent and the look for suspects read a channel's gate, said once.

-- A pause that ends without a person: the credential is a key, mended at the other system or by a restart, of which nobody tells the hub, so now and
-- then one request asks. An account of MercadoLibre bears an OAuth grant: connecting it anew ends its pause.
CREATE FUNCTION gate_mends_itself(c channel) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT c.paused_at IS NOT NULL AND c.pause_cause IS NOT DISTINCT FROM 'credentials-rejected' AND c.marketplace <> 'mercadolibre' $$;

-- Nothing may be claimed from the channel or sent to it, whoever asks.
CREATE FUNCTION gate_is_shut(c channel) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT NOT c.enabled OR coalesce(c.limited_until > hub_now(), false) OR (c.paused_at IS NOT NULL AND NOT gate_mends_itself(c)) $$;

-- Only a probe may be claimed from the channel and sent to it.
CREATE FUNCTION gate_is_tested(c channel) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT c.circuit_opened_at IS NOT NULL OR c.paused_at IS NOT NULL $$;

-- Something may be claimed from the channel now.
CREATE FUNCTION gate_admits_claim(c channel) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT NOT gate_is_shut(c) AND (NOT gate_is_tested(c) OR coalesce(c.probe_at <= hub_now(), true)) $$;
