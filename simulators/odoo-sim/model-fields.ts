export type OdooVersion = 14 | 19

export type FieldType =
  | 'char'
  | 'text'
  | 'html'
  | 'integer'
  | 'float'
  | 'monetary'
  | 'boolean'
  | 'date'
  | 'datetime'
  | 'selection'
  | 'many2one'
  | 'one2many'
  | 'many2many'

export interface Field {
  type: FieldType
  relation?: string
  selection?: string[]
  required: boolean
  /** Computed or written by the server only; a client's value is ignored. */
  readonly: boolean
}

export interface Model {
  name: string
  fields: Map<string, Field>
  /** Default order of a search. */
  order: string
  /** Exists, but an ordinary internal user may not read it. */
  forbidden: boolean
}

export type Models = Map<string, Model>

/** Names that differ by version (verified with fields_get on 14.0 and 19.0). */
export interface Names {
  lineTaxes: 'tax_id' | 'tax_ids'
  lineUnit: 'product_uom' | 'product_uom_id'
  pickingMoves: 'move_lines' | 'move_ids'
  moveDone: 'quantity_done' | 'quantity'
  /** The context key for the stock of one warehouse; the other version's key is silently ignored. */
  warehouseKey: 'warehouse' | 'warehouse_id'
}

export function namesOf(version: OdooVersion): Names {
  return version === 14
    ? { lineTaxes: 'tax_id', lineUnit: 'product_uom', pickingMoves: 'move_lines', moveDone: 'quantity_done', warehouseKey: 'warehouse' }
    : { lineTaxes: 'tax_ids', lineUnit: 'product_uom_id', pickingMoves: 'move_ids', moveDone: 'quantity', warehouseKey: 'warehouse_id' }
}

/** The models a sync hub touches. A spec reads `name:type[=relation|(a,b)]`, `!` = required, `~` = computed or server-side. */
export function modelsOf(version: OdooVersion): Models {
  const models: Models = new Map()
  const specs = version === 14 ? { ...BOTH, ...ONLY_14 } : { ...BOTH, ...ONLY_19 }
  for (const [key, spec] of Object.entries(specs)) {
    const name = key.replace(/ .*/, '')
    const model = models.get(name) ?? { name, fields: baseFields(version), order: ORDERS[name] ?? 'id', forbidden: false }
    for (const word of spec.split(/\s+/).filter(Boolean)) addField(model, word)
    models.set(name, model)
  }
  for (const name of FORBIDDEN) models.set(name, { name, fields: baseFields(version), order: 'id', forbidden: true })
  return models
}

function baseFields(version: OdooVersion): Map<string, Field> {
  const stamp = { type: 'datetime', required: false, readonly: true } as const
  const fields = new Map<string, Field>([
    ['id', { type: 'integer', required: false, readonly: true }],
    ['display_name', { type: 'char', required: false, readonly: true }],
    ['create_date', stamp],
    ['write_date', stamp],
    ['create_uid', { type: 'many2one', relation: 'res.users', required: false, readonly: true }],
    ['write_uid', { type: 'many2one', relation: 'res.users', required: false, readonly: true }],
  ])
  if (version === 14) fields.set('__last_update', stamp)
  return fields
}

function addField(model: Model, word: string): void {
  const match = /^(\w+):(\w+?)(?:=([\w.]+)|\(([\w,]+)\))?([!~]?)$/.exec(word)
  if (!match) throw new Error(`bad field spec ${word} of ${model.name}`)
  const [, name = '', type, relation, selection, flag] = match
  const field: Field = { type: (SHORT[type ?? ''] ?? type) as FieldType, required: flag === '!', readonly: flag === '~' }
  if (relation) field.relation = relation
  if (selection) field.selection = selection.split(',')
  model.fields.set(name, field)
}

const SHORT: Record<string, FieldType> = {
  m2o: 'many2one',
  o2m: 'one2many',
  m2m: 'many2many',
  int: 'integer',
  bool: 'boolean',
  money: 'monetary',
}

const ORDERS: Record<string, string> = {
  'sale.order': 'date_order desc, id desc',
  'stock.picking': 'scheduled_date asc, id desc',
  'mail.message': 'id desc',
  'product.product': 'default_code, name, id',
  'res.partner': 'name, id',
}

/** Readable by administrators only. */
const FORBIDDEN = ['ir.config_parameter', 'ir.cron', 'ir.actions.server', 'base.automation', 'ir.model.access', 'ir.module.module']

const BOTH = {
  'sale.order': `name:char~ client_order_ref:char origin:char partner_id:m2o=res.partner! partner_invoice_id:m2o=res.partner
    partner_shipping_id:m2o=res.partner pricelist_id:m2o=product.pricelist currency_id:m2o=res.currency~ company_id:m2o=res.company team_id:m2o=crm.team
    user_id:m2o=res.users tag_ids:m2m=crm.tag warehouse_id:m2o=stock.warehouse date_order:datetime commitment_date:datetime note:html reference:char
    order_line:o2m=sale.order.line picking_ids:o2m=stock.picking~ invoice_ids:m2m=account.move~ message_ids:o2m=mail.message~ amount_untaxed:money~
    amount_tax:money~ amount_total:money~ invoice_status:selection(upselling,invoiced,to_invoice,no)~ effective_date:datetime~`,
  'sale.order.line': `order_id:m2o=sale.order! sequence:int name:text product_id:m2o=product.product product_uom_qty:float qty_delivered:float~ qty_invoiced:float~
    price_unit:float discount:float display_type:selection(line_section,line_note) price_subtotal:money~ price_tax:float~ price_total:money~
    state:selection(draft,sent,sale,done,cancel)~ company_id:m2o=res.company~ currency_id:m2o=res.currency~ move_ids:o2m=stock.move~`,
  'stock.picking': `name:char~ state:selection(draft,waiting,confirmed,assigned,done,cancel)~ origin:char sale_id:m2o=sale.order~ partner_id:m2o=res.partner
    picking_type_id:m2o=stock.picking.type picking_type_code:selection(incoming,outgoing,internal)~ location_id:m2o=stock.location location_dest_id:m2o=stock.location scheduled_date:datetime date_done:datetime~
    carrier_tracking_ref:char company_id:m2o=res.company~ backorder_id:m2o=stock.picking~ note:html message_ids:o2m=mail.message~`,
  'stock.move': `picking_id:m2o=stock.picking~ product_id:m2o=product.product~ product_uom_qty:float product_uom:m2o=uom.uom
    state:selection(draft,waiting,confirmed,partially_available,assigned,done,cancel)~ sale_line_id:m2o=sale.order.line~ location_id:m2o=stock.location~
    location_dest_id:m2o=stock.location~ origin:char reference:char~ company_id:m2o=res.company~`,
  'stock.quant': `product_id:m2o=product.product~ location_id:m2o=stock.location~ warehouse_id:m2o=stock.warehouse~ quantity:float~ reserved_quantity:float~
    available_quantity:float~ company_id:m2o=res.company~`,
  'product.product': `name:char! default_code:char barcode:char active:bool list_price:float lst_price:float~ standard_price:float sale_ok:bool taxes_id:m2m=account.tax
    uom_id:m2o=uom.uom qty_available:float~ free_qty:float~ virtual_available:float~ outgoing_qty:float~ incoming_qty:float~ company_id:m2o=res.company weight:float`,
  'res.partner': `name:char! email:char phone:char vat:char street:char street2:char city:char zip:char ref:char is_company:bool parent_id:m2o=res.partner
    type:selection(contact,invoice,delivery,other) active:bool country_id:m2o=res.country company_id:m2o=res.company comment:html lang:char customer_rank:int`,
  'account.move': `name:char state:selection(draft,posted,cancel) move_type:selection(entry,out_invoice,out_refund) ref:char invoice_origin:char partner_id:m2o=res.partner
    invoice_date:date amount_total:money~ currency_id:m2o=res.currency payment_state:selection(not_paid,in_payment,paid,partial,reversed)~ company_id:m2o=res.company`,
  'ir.model.data': 'module:char! name:char! model:char! res_id:int noupdate:bool',
  'res.users': 'name:char login:char email:char active:bool partner_id:m2o=res.partner company_id:m2o=res.company lang:char tz:char',
  'crm.team': 'name:char! active:bool company_id:m2o=res.company',
  'crm.tag': 'name:char!',
  'product.pricelist': 'name:char! active:bool currency_id:m2o=res.currency company_id:m2o=res.company',
  'res.currency': 'name:char! symbol:char rounding:float decimal_places:int~ active:bool',
  'account.tax': `name:char! amount:float amount_type:selection(percent,fixed) price_include:bool type_tax_use:selection(sale,purchase,none) active:bool
    company_id:m2o=res.company`,
  'res.company': 'name:char! currency_id:m2o=res.currency country_id:m2o=res.country partner_id:m2o=res.partner',
  'res.country': 'name:char! code:char',
  'stock.warehouse': 'name:char! code:char active:bool lot_stock_id:m2o=stock.location company_id:m2o=res.company',
  'stock.location': `name:char! complete_name:char usage:selection(supplier,view,internal,customer,inventory,transit) active:bool
    warehouse_id:m2o=stock.warehouse company_id:m2o=res.company`,
  'stock.picking.type': 'name:char! code:selection(incoming,outgoing,internal) warehouse_id:m2o=stock.warehouse active:bool',
  'uom.uom': 'name:char! active:bool',
  'mail.message': `model:char res_id:int body:html subject:char author_id:m2o=res.partner date:datetime
    message_type:selection(email,comment,notification,user_notification) email_from:char`,
  'res.users.apikeys': 'name:char user_id:m2o=res.users scope:char',
} satisfies Record<string, string>

// A key "model version" adds fields to the model of that name.
const ONLY_14: Record<string, string> = {
  'sale.order 14': 'state:selection(draft,sent,sale,done,cancel)~ procurement_group_id:m2o=procurement.group~',
  'sale.order.line 14': 'tax_id:m2m=account.tax product_uom:m2o=uom.uom route_id:m2o=stock.location.route',
  'stock.picking 14': 'move_lines:o2m=stock.move~ move_ids_without_package:o2m=stock.move~ group_id:m2o=procurement.group~',
  'stock.move 14': 'name:char quantity_done:float reserved_availability:float~',
  'product.product 14': 'type:selection(consu,service,product)',
  'res.partner 14': 'mobile:char title:m2o=res.partner.title',
  'res.users 14': 'groups_id:m2m=res.groups',
  'account.move 14': 'reversal_move_id:o2m=account.move~',
  'procurement.group': 'name:char',
  'stock.location.route': 'name:char',
  'res.partner.title': 'name:char',
  'res.groups': 'name:char',
}

const ONLY_19: Record<string, string> = {
  'sale.order 19': `state:selection(draft,sent,sale,cancel)~ locked:bool delivery_status:selection(pending,started,partial,full)~
    stock_reference_ids:m2m=stock.reference~ duplicated_order_ids:m2m=sale.order~`,
  'sale.order.line 19': 'tax_ids:m2m=account.tax product_uom_id:m2o=uom.uom route_ids:m2m=stock.route',
  'stock.picking 19': 'move_ids:o2m=stock.move~ reference_ids:m2m=stock.reference~',
  'stock.move 19': 'quantity:float picked:bool',
  'product.product 19': 'type:selection(consu,service,combo) is_storable:bool',
  'res.users 19': 'group_ids:m2m=res.groups',
  'account.move 19': 'reversal_move_ids:o2m=account.move~',
  'res.users.apikeys 19': 'expiration_date:datetime',
  'stock.reference': 'name:char',
  'stock.route': 'name:char',
  'res.groups': 'name:char',
}
