/** Asks at most once in `ms` milliseconds; whoever calls meanwhile gets the same answer. */
export function atMostEvery<T>(ms: number, ask: () => Promise<T>): () => Promise<T> {
  let kept: { answer: Promise<T>; askedAt: number } | undefined
  return () => {
    const now = performance.now()
    if (!kept || now - kept.askedAt >= ms) kept = { answer: ask(), askedAt: now }
    return kept.answer
  }
}
