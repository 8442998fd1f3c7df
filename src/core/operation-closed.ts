/**
 * The hub closed an operation before it took effect, since its process had not been heard of for longer than the act may take. Thrown inside of the
 * transaction of the effect, which it rolls back: nothing was changed.
 */
export class OperationClosed extends Error {
  override readonly name = 'OperationClosed'
  constructor(operationId: string) {
    super(`the operation ${operationId} was closed before it took effect`)
  }
}
