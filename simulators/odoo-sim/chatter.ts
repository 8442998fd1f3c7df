import { type Env, HUB_PARTNER, microsToText } from './env.ts'
import { userError } from './odoo-error.ts'
import { get, insert, noteAct, patch } from './tables.ts'

/** Odoo logs in the name of the user: without an e-mail address nothing that logs works (verified on 14). */
export function mustHaveSender(env: Env): void {
  if (env.admin || env.user.email) return
  throw userError(
    "Unable to log message, please configure the sender's email address.",
    'No se puede registrar el mensaje, por favor configure la dirección de correo del remitente.',
  )
}

/** 14 keeps HTML (sanitised), 19 escapes it unless `body_is_html` (verified). Plain text is wrapped in a paragraph. */
export function postMessage(env: Env, model: string, id: number, options: { body: string; bodyIsHtml: boolean; subject?: string }): number {
  mustHaveSender(env)
  const keepsHtml = env.tables.version === 14 || options.bodyIsHtml
  const message = insert(env.tables, env.tx, 'mail.message', {
    model,
    res_id: id,
    body: wrapped(keepsHtml ? sanitised(options.body) : escaped(options.body)),
    subject: options.subject ?? null,
    author_id: env.admin ? 2 : HUB_PARTNER,
    email_from: env.admin ? 'admin@example.com' : env.user.email,
    date: microsToText(env.tx.startedAt),
    message_type: 'notification',
  })
  const row = get(env.tables, env.tx, model, id)
  patch(env.tables, env.tx, { model, id, touch: false }, { message_ids: [message.id, ...((row.message_ids as number[] | null) ?? [])] })
  const orderId = model === 'sale.order' ? id : model === 'stock.picking' ? Number(row.sale_id ?? 0) : 0
  if (orderId) noteAct(env.tx, orderId, 'message')
  return message.id
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function sanitised(html: string): string {
  return html.replace(/<(script|style|iframe)\b[^]*?<\/\1\s*>/gi, '').replace(/\son\w+\s*=\s*("[^"]*"|'[^']*'|[^\s>]+)/gi, '')
}

function wrapped(html: string): string {
  return /^\s*<(p|div|ul|ol|table|h\d|blockquote|pre)\b/i.test(html) ? html : `<p>${html}</p>`
}
