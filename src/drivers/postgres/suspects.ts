// Of deliveries and inbound events alike. Given to statements as parameters; the partial indexes of suspects hold the first one as a literal.

/** Claimed so often without a finish: from here on alone, so that one that kills its worker takes nobody with it. */
export const SUSPECT_AFTER = 3
/** Unfinished claims alone that make a poison. */
export const POISON_AFTER = 2
