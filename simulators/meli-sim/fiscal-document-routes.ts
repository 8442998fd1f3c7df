import type { Answer, Call, Route } from './call.ts'
import { idParam } from './call.ts'
import type { Sim } from './sim.ts'
import { saveState } from './sim.ts'
import { notOwnedOrder, orderNotFound, refusal } from './vendor-error.ts'
import { vendorTime } from './vendor-time.ts'
import type { FiscalDocument } from './world.ts'
import { nextId } from './world.ts'

/** The id is the pack's, or the order's where the order has no pack. */
export const fiscalDocumentRoutes: Route[] = [
  { method: 'GET', url: '/packs/:id/fiscal_documents', access: 'seller', answer: list },
  { method: 'POST', url: '/packs/:id/fiscal_documents', access: 'seller', answer: attach },
]

const MAX_BYTES = 1_048_576

interface FilePart {
  filename: string
  bytes: number
  fileType: string
}

function list(sim: Sim, call: Call): Answer {
  const { id } = saleOf(sim, call)
  const found = sim.world.fiscalDocuments.get(id)
  if (!found) throw refusal(404, 'not_found', 'The pack has no fiscal documents')
  return { status: 200, body: { pack_id: id, fiscal_documents: found } }
}

/** One PDF of at most 1 MB and one XML. */
function attach(sim: Sim, call: Call): Answer {
  const { id, logisticType } = saleOf(sim, call)
  if (logisticType === 'fulfillment') throw refusal(403, 'forbidden', 'you must use the biller of MercadoLibre')
  const part = filePart(call)
  if (!part) throw refusal(400, 'bad_request', 'multipart field fiscal_document with a file is required')
  if (!['application/pdf', 'text/xml', 'application/xml'].includes(part.fileType)) {
    throw refusal(400, 'bad_request', 'fiscal_document must be a PDF or an XML file')
  }
  if (part.bytes > MAX_BYTES) throw refusal(400, 'bad_request', 'fiscal_document must not be larger than 1 MB')
  const known = sim.world.fiscalDocuments.get(id) ?? []
  const isXml = part.fileType.endsWith('xml')
  if (known.some((one) => one.file_type.endsWith('xml') === isXml)) throw refusal(409, 'conflict', 'a file already exists')
  const count = nextId(sim.world, 'document')
  saveState(sim, 'counter:document', count)
  const document: FiscalDocument = {
    id: `fd-${count}`,
    filename: part.filename,
    file_type: part.fileType,
    bytes: part.bytes,
    date: vendorTime(sim.nowMs()),
  }
  const all = [...known, document]
  sim.world.fiscalDocuments.set(id, all)
  saveState(sim, `fiscal-documents:${id}`, all)
  call.note('fiscal-document-attached')
  return { status: 201, body: { ids: [document.id] } }
}

function saleOf(sim: Sim, call: Call): { id: number; logisticType: string | null } {
  const id = idParam(call, 'id', 'invalid_order_id')
  const pack = sim.world.packs.get(id)
  const order = sim.world.orders.get(pack?.order_ids[0] ?? id)
  if (!order || (!pack && order.pack_id !== null)) throw orderNotFound()
  if (order.seller.id !== call.seller.user_id) throw notOwnedOrder()
  const shipment = order.shipping.id === null ? undefined : sim.world.shipments.get(order.shipping.id)
  return { id, logisticType: shipment?.logistic_type ?? null }
}

/** Just enough of multipart/form-data: the part named `fiscal_document`. */
function filePart(call: Call): FilePart | null {
  const boundary = /boundary="?([^";]+)"?/.exec(call.headers['content-type'] ?? '')?.[1]
  if (boundary === undefined) return null
  for (const part of call.body.toString('latin1').split(`--${boundary}`)) {
    const split = part.indexOf('\r\n\r\n')
    const head = part.slice(0, Math.max(split, 0))
    if (split === -1 || !/name="?fiscal_document"?/i.test(head)) continue
    return {
      filename: /filename="([^"]*)"/i.exec(head)?.[1] ?? 'document',
      fileType: (/content-type:\s*([^\s;]+)/i.exec(head)?.[1] ?? 'application/pdf').toLowerCase(),
      bytes: Math.max(part.length - split - 6, 0),
    }
  }
  return null
}
