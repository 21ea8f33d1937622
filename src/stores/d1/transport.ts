/** One call of Cloudflare's REST API; returns the result from the envelope of the answer. */
import { setMaxListeners } from 'node:events'
import { throwIfAborted } from '../../shared/abort.ts'
import { redactText } from '../../shared/redact.ts'
import { brokenBy, D1Failure, refusedBy, type ApiError } from './failure.ts'
import type { D1Settings } from './settings.ts'

export type D1Call = {
  readonly method: 'GET' | 'POST'
  /** Path after `…/d1/database`. */
  readonly path: string
  readonly body?: string
  readonly signal: AbortSignal
  /** Longest time for the answer. */
  readonly answerMs: number
  /** A longer answer is aborted. */
  readonly mostBytes?: number
  /** Called when the headers of the answer have arrived. */
  onHeaders(headers: Headers): void
}

export type ApiAnswer = { readonly result: unknown; readonly bytes: number }

type Envelope = { readonly success: boolean; readonly errors?: readonly ApiError[]; readonly result?: unknown }

/** @throws D1Failure; the signal's reason */
export async function call(settings: D1Settings, request: D1Call): Promise<ApiAnswer> {
  const { response, text } = await exchange(settings, request)
  if (text === null) {
    const message = `the answer has more than ${request.mostBytes ?? 0} bytes`
    throw new D1Failure({ kind: 'size', message, settled: false })
  }
  const envelope = parsed(text)
  if (response.ok && envelope?.success === true) return { result: envelope.result, bytes: text.length }
  const { status } = response
  // A success without an envelope is a truncated answer, or the answer of a proxy.
  if (response.ok && envelope === null) {
    throw new D1Failure({ kind: 'network', message: 'the answer is not JSON', settled: false, status })
  }
  const errors = (envelope?.errors ?? []).map(({ code, message }) => ({
    code,
    message: redactText(message, settings.secrets),
  }))
  throw refusedBy(status, response.headers, errors)
}

async function exchange(
  { account, base, token }: D1Settings,
  { method, path, body, signal, answerMs, mostBytes, onHeaders }: D1Call,
): Promise<{ readonly response: Response; readonly text: string | null }> {
  throwIfAborted(signal)
  // Every running request listens to the signal; Node warns of a leak above ten listeners.
  setMaxListeners(0, signal)
  const watch = new AbortController()
  const stop = (): void => watch.abort()
  const late = setTimeout(() => watch.abort(new Error(`no answer within ${answerMs / 1000} s`)), answerMs)
  signal.addEventListener('abort', stop, { once: true })
  try {
    const response = await fetch(`${base}/accounts/${encodeURIComponent(account)}/d1/database${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      redirect: 'manual',
      signal: watch.signal,
      ...(body === undefined ? {} : { body }),
    })
    onHeaders(response.headers)
    return { response, text: mostBytes === undefined ? await response.text() : await textUpTo(response, mostBytes) }
  } catch (error) {
    throwIfAborted(signal)
    throw brokenBy(error)
  } finally {
    clearTimeout(late)
    signal.removeEventListener('abort', stop)
  }
}

/** The body of a response; null if it is longer than `mostBytes`. */
async function textUpTo(response: Response, mostBytes: number): Promise<string | null> {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of response.body ?? []) {
    length += piece.byteLength
    // Leaving the loop ends the transfer.
    if (length > mostBytes) return null
    pieces.push(piece)
  }
  return Buffer.concat(pieces, length).toString('utf8')
}

function parsed(text: string): Envelope | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && 'success' in value ? (value as Envelope) : null
  } catch {
    return null
  }
}
