/** One signal out of two. */

/** Fires with either of two signals. It can be let go of: runs live long, and chunks are many. */
export function linked(a: AbortSignal, b: AbortSignal): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController()
  const pass = (): void => controller.abort(a.aborted ? a.reason : b.reason)
  if (a.aborted || b.aborted) pass()
  a.addEventListener('abort', pass, { once: true })
  b.addEventListener('abort', pass, { once: true })
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      a.removeEventListener('abort', pass)
      b.removeEventListener('abort', pass)
    },
  }
}
