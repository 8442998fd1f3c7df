/** An error as a client of Odoo sees it: the Python class name decides, the text is localised and never a contract. */
export class OdooError extends Error {
  readonly className: string
  readonly text: { en: string; es: string }
  readonly status: number

  constructor(className: string, text: string | { en: string; es: string }, status = statusOf(className)) {
    const both = typeof text === 'string' ? { en: text, es: text } : text
    super(both.en)
    this.className = className
    this.text = both
    this.status = status
  }

  inLanguage(lang: string): string {
    return lang.startsWith('es') ? this.text.es : this.text.en
  }
}

/** For `.catch`: an answer of Odoo goes on as a value, a bug is thrown on. */
export function odooErrorOnly(error: unknown): OdooError {
  if (error instanceof OdooError) return error
  throw error
}

export const userError = (en: string, es: string) => new OdooError('odoo.exceptions.UserError', { en, es })
export const validationError = (en: string, es: string) => new OdooError('odoo.exceptions.ValidationError', { en, es })
export const accessError = (en: string, es: string) => new OdooError('odoo.exceptions.AccessError', { en, es })
export const valueError = (text: string) => new OdooError('builtins.ValueError', text)
export const typeError = (text: string) => new OdooError('builtins.TypeError', text)

export function missingError(model: string, ids: number[]): OdooError {
  const record = `${model}(${ids.join(', ')},)`
  return new OdooError('odoo.exceptions.MissingError', {
    en: `Record does not exist or has been deleted.\n(Record: ${record}, User: 2)`,
    es: `El registro no existe o ha sido eliminado.\n(Registro: ${record}, Usuario: 2)`,
  })
}

export function invalidField(model: string, field: string): OdooError {
  return valueError(`Invalid field '${field}' on model '${model}'`)
}

/** JSON-2 status by class (Odoo 19; verified statuses of the vendor). JSON-RPC always answers 200. */
function statusOf(className: string): number {
  switch (className) {
    case 'odoo.exceptions.AccessError':
      return 403
    case 'odoo.exceptions.MissingError':
    case 'werkzeug.exceptions.NotFound':
      return 404
    case 'odoo.exceptions.UserError':
    case 'odoo.exceptions.ValidationError':
    case 'odoo.exceptions.RedirectWarning':
    case 'werkzeug.exceptions.UnprocessableEntity':
      return 422
    case 'odoo.exceptions.AccessDenied':
    case 'werkzeug.exceptions.Unauthorized':
      return 401
    case 'werkzeug.exceptions.BadRequest':
      return 400
    default:
      return 500
  }
}
