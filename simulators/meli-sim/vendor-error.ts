/** A refusal in the vendor's own words: status and body leave as they are. */
export class VendorError extends Error {
  readonly status: number
  readonly body: unknown
  readonly headers: Record<string, string>

  constructor(status: number, body: unknown, headers: Record<string, string> = {}) {
    super(typeof body === 'string' ? body : JSON.stringify(body))
    this.status = status
    this.body = body
    this.headers = headers
  }
}

/** The vendor's common body: `{message, error, status, cause}`. */
export function refusal(status: number, error: string, message: string, cause: unknown[] = []): VendorError {
  return new VendorError(status, { message, error, status, cause })
}

/** Documented body of a call without a usable caller. `code` is a number, there is no `status`, `cause` is null. */
export function invalidCaller(): VendorError {
  return new VendorError(401, { code: 401, error: 'unauthorized_request_error', message: 'Invalid caller.id', cause: null })
}

/** Observed body for a token that is expired, revoked or unknown. */
export function invalidAccessToken(): VendorError {
  return new VendorError(401, { code: 'unauthorized', message: 'invalid access token' })
}

/** Documented. `code` is a string here. */
export function accessDenied(): VendorError {
  const message = 'access to the requested resource is forbidden'
  return new VendorError(403, { status: 403, error: 'access_denied', message, code: 'FORBIDDEN' })
}

/** Documented. No `message` at all. */
export function invalidScopes(): VendorError {
  return new VendorError(403, { status: 403, error: 'Invalid scopes', code: 'FORBIDDEN' })
}

export function orderNotFound(): VendorError {
  return refusal(404, 'order_not_found', 'Order do not exists')
}

export function notOwnedOrder(): VendorError {
  return refusal(403, 'not_owned_order', 'The caller is not the owner of the order')
}

export function notFound(what: string): VendorError {
  return refusal(404, 'not_found', `${what} not found`)
}
