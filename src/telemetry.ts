import { context, propagation, type Span, SpanStatusCode, trace } from '@opentelemetry/api'

const tracer = trace.getTracer('retail-order-sync-hub')

/** Runs `work` in a span; a throw marks the span and goes on. Costs nothing while no SDK is registered. */
export async function withSpan<T>(name: string, attributes: Record<string, string | number>, work: (span: Span) => Promise<T>): Promise<T> {
  return tracer.startActiveSpan(name, { attributes }, async (span) => {
    try {
      return await work(span)
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR })
      throw error
    } finally {
      span.end()
    }
  })
}

/** W3C traceparent of the active span, stored on events and deliveries so that one trace shows a journey across processes. */
export function currentTraceparent(): string | undefined {
  const carrier: Record<string, string> = {}
  propagation.inject(context.active(), carrier)
  return carrier.traceparent
}

/** Goes on with the trace that a stored traceparent names. */
export function continueTrace<T>(traceparent: string | null, work: () => Promise<T>): Promise<T> {
  if (traceparent === null) return work()
  return context.with(propagation.extract(context.active(), { traceparent }), work)
}
