// Written for the project in the shapes of the other systems; nothing here is a vendor's text.

export const aMeliOrder = {
  id: 2000009047722568,
  status: 'paid',
  last_updated: '2026-11-20T12:00:00.000-04:00',
  date_created: '2026-11-20T11:00:00.000-0400',
  pack_id: 2000006181551917,
  tags: ['paid', 'not_delivered'],
  total_amount: 25980,
  currency_id: 'CLP',
  order_items: [
    { item: { id: 'MLC1500000001', seller_sku: 'TAZA-01' }, quantity: 1, unit_price: 12990 },
    { item: { id: 'MLC1500000002', seller_sku: null }, quantity: 1, unit_price: '12990' },
  ],
  payments: [{ id: 1, status: 'approved', status_detail: 'accredited', tags: [] }],
  shipping: { id: 43729529445 },
  mediations: [],
  buyer: { id: 5, nickname: 'COMPRADOR5', first_name: 'Ana', last_name: 'Rojas', email: 'ana@example.com' },
  seller: { id: 1001 },
  external_reference: 'ODOO-42',
}

export const aMeliPack = {
  id: 2000006181551917,
  status: 'released',
  last_updated: '2026-11-20T12:00:00.000-04:00',
  orders: [{ id: 2000009047722568 }, { id: 2000009047722570 }],
  shipment: { id: 43729529445 },
}

export const aMeliShipment = {
  id: 43729529445,
  status: 'ready_to_ship',
  substatus: 'picked_up',
  last_updated: '2026-11-20T12:00:00.000-04:00',
  tracking_number: 'TR-1',
  logistic: { type: 'cross_docking', direction: 'forward' },
  order_id: 2000009047722568,
  destination: {
    receiver_name: 'Ana Rojas',
    receiver_phone: '+56 9 1234 5678',
    shipping_address: { address_line: 'Av. Uno 100', zip_code: '8320000', city: { name: 'Santiago' }, state: { name: 'RM' } },
  },
}

export const aParisOrder = {
  id: 'p-7',
  buyer: 'Ana Rojas',
  status: 'created',
  external_ref: 'odoo-42',
  items: [
    { sku: 'TAZA-01', qty: 2 },
    { sku: 'TAZA-02', qty: 0.5 },
  ],
  created_at: '2026-11-20T12:00:00-03:00',
}

const anOdooOrder = {
  id: 42,
  name: 'S00042',
  state: 'sale',
  write_date: '2026-11-23 10:00:00',
  client_order_ref: 'ML-98345',
  origin: false,
  amount_total: 25980.0,
  currency_id: [45, 'CLP'],
  partner_id: [7, 'Camila'],
  order_line: [1],
  create_uid: [9, 'Ana'],
  write_uid: [9, 'Ana'],
  team_id: [3, 'Web'],
  tag_ids: [5],
  pricelist_id: [1, 'Publico (CLP)'],
  company_id: [1, 'Tienda'],
  x_store: 'Norte',
}

export const odooRecords = {
  'sale.order': [
    anOdooOrder,
    { ...anOdooOrder, id: 43, name: 'S00043', order_line: [2], origin: 'paris:main', client_order_ref: 'PARIS-p-7' },
  ],
  'sale.order.line': [
    {
      id: 1,
      order_id: [42, 'S00042'],
      product_id: [100, 'Taza'],
      product_uom_qty: 2,
      price_unit: 12990,
      price_total: 25980,
      display_type: false,
      write_uid: [9, 'Ana'],
    },
    {
      id: 2,
      order_id: [43, 'S00043'],
      product_id: [100, 'Taza'],
      product_uom_qty: 1,
      price_unit: 0,
      price_total: 0,
      display_type: false,
      write_uid: false,
    },
  ],
  'stock.picking': [
    {
      id: 8,
      sale_id: [42, 'S00042'],
      state: 'done',
      picking_type_code: 'outgoing',
      carrier_tracking_ref: 'TR-1',
      write_date: '2026-11-23 11:00:00',
    },
  ],
  'product.product': [{ id: 100, default_code: 'TAZA-01', free_qty: 7.0 }],
  'crm.tag': [{ id: 5, name: 'Outlet' }],
  'res.partner': [
    { id: 7, name: 'Camila', email: 'camila@example.com', phone: false, street: 'Av. Uno 100', city: 'Santiago', vat: false },
  ],
  'ir.model.data.check_object_reference': ['sale.order', 43],
}
