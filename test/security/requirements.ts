export interface Requirement {
  id: string
  title: string
  /** Why no test stands here, where one does not. */
  later?: string
}

/** The security requirements, each with a test `rNN-*.test.ts` in this folder and at least one patch in `without/` that takes its defence away. */
export const REQUIREMENTS: readonly Requirement[] = [
  { id: 'R1', title: 'Webhooks are verified by HMAC over the raw bytes, before anything is parsed' },
  { id: 'R2', title: 'Standard Webhooks beside the vendor schemes' },
  { id: 'R3', title: 'A signed timestamp is tolerated 300 s either way' },
  { id: 'R4', title: 'Two keys a source, each in its time, and the last use of the old one shows' },
  { id: 'R5', title: 'Sources are allowed by address, whatever X-Forwarded-For says' },
  { id: 'R6', title: 'An unsigned request is a hint and its body is never believed' },
  { id: 'R7', title: 'Default, empty and short secrets keep the hub from starting' },
  { id: 'R8', title: 'Caps on body, headers, time and connections' },
  { id: 'R9', title: 'A token bucket a source' },
  { id: 'R10', title: 'Errors leak nothing; security headers; no API docs in public' },
  { id: 'R11', title: 'Each listener serves its own routes alone' },
  { id: 'R12', title: 'Addresses that arrive as data lead to no private network' },
  { id: 'R13', title: 'No SQL is built from values' },
  { id: 'R14', title: 'Spreadsheet cells are inert' },
  { id: 'R15', title: 'One log entry is one line' },
  { id: 'R16', title: 'Tokens are sealed in their place, and their keys rotate' },
  { id: 'R17', title: 'API tokens are stored as digests, end and can be revoked' },
  { id: 'R18', title: 'Seeded personal data and secrets leak nowhere' },
  { id: 'R19', title: 'OAuth over Streamable HTTP', later: 'MCP over HTTP is not there' },
  {
    id: 'R20',
    title: 'Scopes over Streamable HTTP',
    later: 'MCP over HTTP is not there; scopes over stdio are held by the tests of the MCP server',
  },
  { id: 'R21', title: 'Origin and Host', later: 'MCP over HTTP is not there' },
  { id: 'R22', title: 'Tool text over Streamable HTTP', later: 'MCP over HTTP is not there; stdio is held by the tests of the MCP server' },
  { id: 'R23', title: 'Each database role may do its job and nothing else' },
  { id: 'R24', title: 'The audit chain is append-only and can be verified offline' },
  { id: 'R25', title: 'Personal data has a class, is masked, exported and erased' },
  { id: 'R26', title: 'The log carries listed fields alone' },
  { id: 'R27', title: 'The analytics export is pseudonymised', later: 'there is no warehouse' },
  { id: 'R28', title: 'Lockfile, pinned actions, SBOM, installs without scripts' },
  { id: 'R29', title: 'Console sessions', later: 'there is no console' },
  { id: 'R30', title: 'Every door is fuzzed' },
  { id: 'A2', title: 'A principal that loops spends its write budget and no more' },
]

/** `R1.patch` and `R1-what.patch` belong to R1. */
export function requirementOf(patch: string): string {
  return patch.replace(/(-.*)?\.patch$/, '')
}

/** `r01-what.test.ts` belongs to R1. */
export function testPrefixOf(id: string): string {
  return `${id.charAt(0).toLowerCase()}${id.slice(1).padStart(2, '0')}-`
}
