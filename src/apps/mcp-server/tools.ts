import { drainDlqTool } from './tools/drain-dlq.ts'
import { findFailedOrdersTool } from './tools/find-failed-orders.ts'
import { getDlqDepth } from './tools/get-dlq-depth.ts'
import { getOrderStatus } from './tools/get-order-status.ts'
import { getSlaMetrics } from './tools/get-sla-metrics.ts'
import { replayDlqMessage } from './tools/replay-dlq-message.ts'
import { retryFailedSyncTool } from './tools/retry-failed-sync.ts'
import { traceOrderTool } from './tools/trace-order.ts'

/** Every tool, by name: a list that never changes its order keeps the prompt caches of clients warm. */
export const tools = [
  drainDlqTool,
  findFailedOrdersTool,
  getDlqDepth,
  getOrderStatus,
  getSlaMetrics,
  replayDlqMessage,
  retryFailedSyncTool,
  traceOrderTool,
]
