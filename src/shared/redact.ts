/** Removes passwords of URLs from everything that is printed, logged or stored; known secrets become `***`. */

import { visible } from './visible.ts'

const SECRET_PARAMETER = /^(?:.*(?:password|passwd|pwd|token|secret).*|.*api[-_]?key|access[-_]?key|sslkey)$/i
/** In URLs of these schemes, the authority ends at the first slash. All other URLs are treated as databases. */
const WEB_SCHEME = /^(?:https?|wss?|ftps?|hdfs|git(?:\+\w+)?|ssh)$/i
/** Shorter secrets are removed from URLs only: replaced everywhere, `db` would garble half of the output. */
const MIN_SECRET = 4

type UrlParts = {
  readonly scheme: string
  readonly user: string | null
  readonly password: string | null
  readonly rest: string
}

/**
 * Splits a URL; null for other texts. `new URL` is not used: it rejects hosts with commas and passwords with `/` or
 * `@`.
 */
function splitUrl(url: string): UrlParts | null {
  const match = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(url)
  if (match === null) return null
  const [, scheme = '', body = ''] = match
  const query = body.search(/[?#]/)
  const path = query === -1 ? body : body.slice(0, query)
  const slash = path.indexOf('/')
  const authority = slash === -1 ? path : path.slice(0, slash)
  let at = authority.lastIndexOf('@')
  // An unescaped slash in a password would end the authority too early. No path of a database contains `user:…@`, so
  // search the whole path for the last `@`.
  if (!WEB_SCHEME.test(scheme) && (authority.split('@', 1)[0] ?? '').includes(':')) at = path.lastIndexOf('@')
  if (at === -1) return { scheme, user: null, password: null, rest: body }
  const userInfo = body.slice(0, at)
  const colon = userInfo.indexOf(':')
  return {
    scheme,
    user: colon === -1 ? userInfo : userInfo.slice(0, colon),
    password: colon === -1 ? null : userInfo.slice(colon + 1),
    rest: body.slice(at + 1),
  }
}

/** Splits `a=1&password=x` into two lists: parameters that may be shown, and secret values. */
function splitQuery(query: string): { readonly shown: string[]; readonly secrets: string[] } {
  const shown: string[] = []
  const secrets: string[] = []
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=')
    if (equals !== -1 && SECRET_PARAMETER.test(pair.slice(0, equals))) secrets.push(pair.slice(equals + 1))
    else shown.push(pair)
  }
  return { shown, secrets }
}

/** The URL without its password and secret parameters; any other text is returned unchanged. */
export function redactUrl(url: string): string {
  const parts = splitUrl(url)
  if (parts === null) return url
  const question = parts.rest.indexOf('?')
  const base = question === -1 ? parts.rest : parts.rest.slice(0, question)
  const { shown } = question === -1 ? { shown: [] } : splitQuery(parts.rest.slice(question + 1))
  const user = parts.user === null ? '' : `${parts.user}@`
  return `${parts.scheme}://${user}${base}${shown.length === 0 ? '' : `?${shown.join('&')}`}`
}

/** The URL without user, password and parameters: system, host and database. Any other text is returned unchanged. */
export function placeOfUrl(url: string): string {
  const parts = splitUrl(url)
  return parts === null ? url : `${parts.scheme}://${parts.rest.replace(/[?#].*$/s, '')}`
}

/** A part of a URL without its percent signs; unchanged if it is not encoded. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The secrets of a URL, as written and decoded, to pass to `redactText`. */
export function secretsOfUrl(url: string): readonly string[] {
  const parts = splitUrl(url)
  if (parts === null) return []
  const question = parts.rest.indexOf('?')
  const found = question === -1 ? [] : splitQuery(parts.rest.slice(question + 1)).secrets
  if (parts.password !== null) found.push(parts.password)
  return [...new Set(found.flatMap((secret) => [secret, decoded(secret)]))].filter((secret) => secret !== '')
}

/** Removes passwords and secret parameters of URLs from a text; given secrets of 4 or more characters become `***`. */
export function redactText(text: string, secrets: readonly string[] = []): string {
  let clean = text
  // Replace the longest secret first: otherwise a secret that begins with another one would keep its tail.
  const forms = [...new Set(secrets.flatMap((secret) => [secret, visible(secret)]))]
  for (const secret of forms.toSorted((a, b) => b.length - a.length)) {
    if (secret.length >= MIN_SECRET && clean.includes(secret)) clean = clean.replaceAll(secret, '***')
  }
  if (!clean.includes('://')) return clean
  return clean.replaceAll(/\b[a-z][a-z0-9+.-]*:\/\/[^\s"'`<>]+/gi, (url) => redactUrl(url))
}

/** Plain data with every text in it redacted; keys stay. */
export function redactValue<T>(value: T, secrets: readonly string[] = []): T {
  const walk = (node: unknown): unknown => {
    if (typeof node === 'string') return redactText(node, secrets)
    if (Array.isArray(node)) return node.map(walk)
    if (typeof node !== 'object' || node === null) return node
    return Object.fromEntries(Object.entries(node).map(([key, item]) => [key, walk(item)]))
  }
  return walk(value) as T
}
