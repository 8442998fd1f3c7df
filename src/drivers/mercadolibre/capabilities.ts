import type { Capabilities } from '../../core/channel.ts'

/** The vendor has no call that creates, changes or cancels an order: orders exist because a buyer checked out. */
export const realCapabilities: Capabilities = {
  createOrder: false,
  updateOrder: false,
  cancelOrder: false,
  updateStock: true,
  // Of shipments that the seller moves himself (ME1); the carrier reports the others.
  pushFulfilment: true,
  fractionalQuantity: false,
  idempotentCreate: false,
}

/** `meli-sim` adds those calls, and a client reference, so that an order of the ERP can appear in a marketplace. */
export const simulatorCapabilities: Capabilities = { ...realCapabilities, createOrder: true, updateOrder: true, cancelOrder: true }
