/** How long somebody at a screen waits for an answer, as against a run that nobody watches. */
import { systemOf } from '../systems.ts'

/** The stores would wait a minute for a server to come back; a screen says after a moment that it is away, and asks again. */
const RETRY_SECONDS = 1

/** The URL with that patience, where it is a server's and does not say itself how long to wait. */
export function questionUrl(url: string): string {
  const system = systemOf(url)
  if (system?.catalog === undefined || system.file !== undefined) return url
  const [base = '', query = ''] = (url.split('#', 1)[0] ?? '').split(/\?(.*)/s)
  const pairs = query.split('&').filter((pair) => pair !== '')
  if (pairs.some((pair) => pair.startsWith('retry_seconds='))) return url
  return `${base}?${[...pairs, `retry_seconds=${RETRY_SECONDS}`].join('&')}`
}
