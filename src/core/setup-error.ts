/**
 * Something about this machine or the database's set-up that a person must mend first. Its text says what, and how; it is shown as it stands, and
 * never as a stack.
 */
export class SetupError extends Error {
  override readonly name: string = 'SetupError'
}
