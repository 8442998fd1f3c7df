import type { Env } from './env.ts'
import { microsToText } from './env.ts'
import { insert, type Value } from './tables.ts'

const NAMES = [
  'Polera algodón',
  'Zapatilla urbana',
  'Mochila escolar',
  'Hervidor eléctrico',
  'Lámpara de mesa',
  'Parka térmica',
  'Audífonos inalámbricos',
  'Juego de sábanas',
  'Botella térmica',
  'Sartén antiadherente',
  'Jeans recto',
  'Reloj deportivo',
  'Silla de escritorio',
  'Set de toallas',
  'Cafetera italiana',
  'Bicicleta infantil',
  'Cortina blackout',
  'Teclado mecánico',
  'Pelota de fútbol',
  'Manta polar',
]

/** A small company in Chile: CLP, IVA on top by default, two warehouses of which the second is empty, 40 products with stock. */
export function fillDemoData(env: Env, hub: { login: string }): void {
  const add = (model: string, values: Record<string, Value>) => insert(env.tables, env.tx, model, values).id
  add('res.country', { name: 'Chile', code: 'CL' })
  add('res.currency', { name: 'CLP', symbol: '$', rounding: 1, active: true })
  add('res.currency', { name: 'USD', symbol: '$', rounding: 0.01, active: true })
  add('res.company', { name: 'Comercial Andes SpA', currency_id: 1, country_id: 1, partner_id: 1 })
  add('res.company', { name: 'Comercial Andes Norte SpA', currency_id: 1, country_id: 1, partner_id: 1 })
  addPeople(add, hub.login, env)
  for (const name of ['MercadoLibre', 'Paris', 'Web']) add('crm.team', { name, active: true, company_id: 1 })
  add('product.pricelist', { name: 'Tarifa pública', currency_id: 1, company_id: 1, active: true })
  add('product.pricelist', { name: 'Tarifa MercadoLibre', currency_id: 1, company_id: 1, active: true })
  add('product.pricelist', { name: 'Tarifa exportación', currency_id: 2, company_id: 1, active: true })
  add('account.tax', {
    name: 'IVA 19% Venta',
    amount: 19,
    amount_type: 'percent',
    price_include: false,
    type_tax_use: 'sale',
    active: true,
    company_id: 1,
  })
  add('account.tax', {
    name: 'IVA 19% incluido',
    amount: 19,
    amount_type: 'percent',
    price_include: true,
    type_tax_use: 'sale',
    active: true,
    company_id: 1,
  })
  add('uom.uom', { name: 'Unidades', active: true })
  addWarehouses(add)
  addProducts(add, env)
}

type Add = (model: string, values: Record<string, Value>) => number

function addPeople(add: Add, login: string, env: Env): void {
  const person = (name: string, more: Record<string, Value> = {}) =>
    add('res.partner', { name, active: true, is_company: false, type: 'contact', country_id: 1, lang: 'es_CL', ...more })
  person('Comercial Andes SpA', { is_company: true, vat: '76123456-0' })
  person('Administrador', { email: 'admin@example.com' })
  person('Integración Hub', { email: login })
  person('Cliente MercadoLibre', { is_company: true })
  person('Cliente Paris', { is_company: true })
  person('Camila Rojas', { email: 'camila.rojas@example.com', city: 'Santiago' })
  person('Matías Fuentes', { email: 'matias.fuentes@example.com', city: 'Valparaíso' })
  person('Distribuidora del Sur Ltda.', { is_company: true, vat: '77654321-6', city: 'Concepción' })
  add('res.users', {
    name: 'Administrador',
    login: 'admin',
    email: 'admin@example.com',
    partner_id: 2,
    company_id: 1,
    lang: 'es_CL',
    tz: 'America/Santiago',
    active: true,
  })
  add('res.users', {
    name: 'Integración Hub',
    login,
    email: login,
    partner_id: 3,
    company_id: 1,
    lang: 'es_CL',
    tz: 'America/Santiago',
    active: true,
  })
  const key: Record<string, Value> = { name: 'hub', user_id: 2, scope: 'rpc' }
  // An ordinary user's key lives at most 90 days on 19.
  if (env.tables.version === 19) key.expiration_date = microsToText(env.tx.startedAt + 90 * 86_400 * 1e6)
  add('res.users.apikeys', key)
}

// The ids 8 (WH/Stock) and 9 (customers) and the picking type 2 are the ones stock-picking.ts works with.
function addWarehouses(add: Add): void {
  const place = (name: string, usage: string, warehouse: number | null = null) =>
    add('stock.location', {
      name: name.split('/').at(-1) ?? name,
      complete_name: name,
      usage,
      warehouse_id: warehouse,
      active: true,
      company_id: 1,
    })
  place('Ubicaciones físicas', 'view')
  place('Ubicaciones de empresa', 'view')
  place('Ubicaciones virtuales', 'view')
  place('Proveedores', 'supplier')
  place('Ajuste de inventario', 'inventory')
  place('WH', 'view', 1)
  place('TDA/Stock', 'internal', 2)
  place('WH/Stock', 'internal', 1)
  place('Clientes', 'customer')
  add('stock.warehouse', { name: 'Bodega Central', code: 'WH', lot_stock_id: 8, company_id: 1, active: true })
  add('stock.warehouse', { name: 'Tienda Providencia', code: 'TDA', lot_stock_id: 7, company_id: 1, active: true })
  add('stock.picking.type', { name: 'Recepciones', code: 'incoming', warehouse_id: 1, active: true })
  add('stock.picking.type', { name: 'Órdenes de entrega', code: 'outgoing', warehouse_id: 1, active: true })
}

function addProducts(add: Add, env: Env): void {
  for (let number = 1; number <= 40; number += 1) {
    const name = `${NAMES[(number - 1) % NAMES.length]} ${number > NAMES.length ? 'Premium' : 'Básica'}`
    const price = 4990 + ((number * 37) % 60) * 1000
    const id = add('product.product', productValues(env, { code: `SKU-${String(number).padStart(3, '0')}`, name, price, type: 'storable' }))
    env.tx.quants.push({ productId: id, locationId: 8, quantity: 20 + ((number * 7) % 60), reserved: 0 })
  }
  add('product.product', productValues(env, { code: null, name: 'Producto sin código', price: 9990, type: 'storable' }))
  add('product.product', productValues(env, { code: 'ENVIO', name: 'Despacho a domicilio', price: 3990, type: 'service' }))
  add('product.product', productValues(env, { code: 'DESCUENTO', name: 'Descuento', price: 0, type: 'service' }))
}

export type ProductType = 'storable' | 'consu' | 'service'

export function productValues(
  env: Env,
  product: { code: string | null; name: string; price: number; type: ProductType },
): Record<string, Value> {
  const storable = product.type === 'storable'
  const kind = product.type === 'service' ? 'service' : storable && env.tables.version === 14 ? 'product' : 'consu'
  return {
    default_code: product.code,
    name: product.name,
    list_price: product.price,
    type: kind,
    ...(env.tables.version === 19 ? { is_storable: storable } : {}),
    active: true,
    sale_ok: true,
    standard_price: 0,
    taxes_id: [1],
    uom_id: 1,
  }
}
