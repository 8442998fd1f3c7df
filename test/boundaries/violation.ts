/** One thing in the tree that a rule forbids: `where` is the file, `what` the offence, `why` the rule's reason. */
export type Violation = { rule: string; where: string; what: string; why: string }
