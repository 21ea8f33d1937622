/**
 * Identity of data files (PROTOCOL.md, "Add File and Remove File"): `path` is an RFC 2396 URI, relative to the table or
 * absolute, so one file can have several spellings. Code that compares files must use the canonical form of this
 * module.
 */
import type { DeletionVectorDescriptor } from './actions.ts'

/** Absolute location, decoded and without `.` and `..`. `path` starts with '/'; `authority` is the host or bucket. */
type Place = { readonly scheme: string; readonly authority: string; readonly path: string }

const SCHEME = /^([A-Za-z][A-Za-z0-9+.-]*):(?=\/)/
/** Hadoop's three names of the same object store. */
const SCHEME_ALIASES: Readonly<Record<string, string>> = { s3a: 's3', s3n: 's3' }
/** One escaped character: an ASCII one, or a lead byte with as many continuation bytes as it announces. */
const ESCAPED = /%[0-7][\da-f]|%[cd][\da-f]%[89ab][\da-f]|%e[\da-f](?:%[89ab][\da-f]){2}|%f[0-7](?:%[89ab][\da-f]){3}/gi

/** Decodes percent encoding once: `%2520` becomes `%20`, '+' stays, and invalid escapes stay as written. */
export function decodeOnce(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return text.replace(ESCAPED, (escaped) => {
      try {
        return decodeURIComponent(escaped)
      } catch {
        return escaped
      }
    })
  }
}

/** Removes `.` and resolves `..`; a `..` above the start is dropped. */
function withoutDots(path: string): string {
  if (!path.includes('.')) return path
  const kept: string[] = []
  const parts = path.split('/')
  for (const [i, part] of parts.entries()) {
    const last = i === parts.length - 1
    if (part === '..') {
      if (kept.length > 1) kept.pop()
      if (last) kept.push('')
    } else if (part === '.') {
      if (last) kept.push('')
    } else kept.push(part)
  }
  return kept.join('/')
}

/**
 * Removes `.`, `..` and, in a file system, doubled slashes: there `a//b` is `a/b`, but on an object store these are two
 * keys.
 */
function normalizedPath(scheme: string, path: string): string {
  return withoutDots(scheme === 'file' ? path.replace(/\/{2,}/g, '/') : path)
}

function placeOf(scheme: string, rest: string, decode: boolean): Place {
  const lower = scheme.toLowerCase()
  const known = SCHEME_ALIASES[lower] ?? lower
  let authority = ''
  let path = rest
  if (rest.startsWith('//')) {
    const slash = rest.indexOf('/', 2)
    authority = slash === -1 ? rest.slice(2) : rest.slice(2, slash)
    path = slash === -1 ? '/' : rest.slice(slash)
  }
  if (known === 'file' && authority.toLowerCase() === 'localhost') authority = ''
  return { scheme: known, authority, path: normalizedPath(known, decode ? decodeOnce(path) : path) }
}

type Root = {
  readonly place: Place
  /** `folder` is `place.path` with a '/' at the end. `literalFolder` is the same for the undecoded text of the root. */
  readonly folder: string
  readonly literalFolder: string
  /** Spellings of the root that need no decoding, each with a '/' at the end. */
  readonly prefixes: readonly string[]
}

function withSlash(path: string): string {
  return path.endsWith('/') ? path : `${path}/`
}

function parseRoot(root: string): Root {
  const scheme = SCHEME.exec(root)?.[1]
  const rest = scheme === undefined ? root : root.slice(scheme.length + 1)
  const place = placeOf(scheme ?? 'file', rest, true)
  const literal = placeOf(scheme ?? 'file', rest, false)
  const literalFolder = withSlash(literal.path)
  const full = `${place.scheme}://${place.authority}`
  const short = place.scheme === 'file' && place.authority === '' ? [literalFolder, `file:${literalFolder}`] : []
  // Undecoded paths can be matched by prefix only if decoding does not change the folder.
  const prefixes = literal.path === place.path ? [full + literalFolder, ...short] : []
  return { place, folder: withSlash(place.path), literalFolder, prefixes }
}

// A table calls this millions of times with the same root, so caching the last root is enough.
let lastRootText = ''
let lastRoot: Root = parseRoot('file:///')

function rootOf(root: string): Root {
  if (root !== lastRootText) {
    lastRoot = parseRoot(root)
    lastRootText = root
  }
  return lastRoot
}

/** The path below the root, or the absolute location if it is not below the root. */
function locate(path: string, root: string): string | Place {
  const table = rootOf(root)
  const scheme = SCHEME.exec(path)?.[1]
  let place: Place
  if (scheme !== undefined) {
    place = placeOf(scheme, path.slice(scheme.length + 1), true)
  } else {
    const decoded = decodeOnce(path)
    // Check after decoding, because slashes and dots may be escaped: `%2Fetc/x`, `%2e%2e/x`.
    const joined = decoded.startsWith('/') ? decoded : table.folder + decoded
    const { scheme: own, authority } = table.place
    place = { scheme: own, authority, path: normalizedPath(own, joined) }
  }
  if (place.scheme === table.place.scheme && place.authority === table.place.authority) {
    for (const folder of [table.folder, table.literalFolder]) {
      if (place.path.startsWith(folder)) return place.path.slice(folder.length)
    }
  }
  return place
}

/** True if decoded text needs no change to name a file below the root. */
function isNormalized(path: string): boolean {
  if (path.charCodeAt(0) === 0x2f || path.charCodeAt(path.length - 1) === 0x2e) return false
  return !path.includes('./') && !path.includes('//')
}

/** True if `isNormalized` is true and the text has no escape and no scheme: the form that nearly every writer uses. */
function isPlain(path: string): boolean {
  return !path.includes('%') && !path.includes(':') && isNormalized(path)
}

/**
 * The canonical name of a data file, to compare and to store. It is decoded text, not a URI: never pass it in again.
 * @param path as in the log
 * @param root URI of the table root, without a slash at the end
 * @returns relative to the root, with '/' between the parts, if the file is below it; otherwise
 * `scheme://authority/path`
 */
export function canonicalPath(path: string, root: string): string {
  if (isPlain(path)) return path
  if (path.charCodeAt(0) !== 0x2f && !SCHEME.test(path)) {
    // Fast path: escaped partition values (`hour=2024-01-01%2010%3A00`) are common.
    const decoded = decodeOnce(path)
    if (isNormalized(decoded) && !SCHEME.test(decoded)) return decoded
  } else {
    for (const prefix of rootOf(root).prefixes) {
      if (!path.startsWith(prefix)) continue
      const rest = path.slice(prefix.length)
      if (isPlain(rest)) return rest
    }
  }
  const located = locate(path, root)
  if (typeof located !== 'string') return `${located.scheme}://${located.authority}${located.path}`
  // A relative name that looks absolute (by an escaped ':') must differ from the absolute name.
  return SCHEME.test(located) ? `./${located}` : located
}

/**
 * Location of a data file. A file outside the table (shallow clone) is a percent-encoded URI: open it only on request.
 */
export function resolveDataPath(
  path: string,
  root: string,
): { readonly path: string; readonly inside: true } | { readonly uri: string; readonly inside: false } {
  if (isPlain(path)) return { path, inside: true }
  const located = locate(path, root)
  if (typeof located === 'string') return { path: located, inside: true }
  const encoded = encodeURI(Buffer.from(located.path).toString()).replace(/[?#]/g, encodeURIComponent)
  return { uri: `${located.scheme}://${located.authority}${encoded}`, inside: false }
}

/** Second half of a file's key (PROTOCOL.md, "Deletion Vectors"): null without a vector; an offset of 0 is kept. */
export function dvId(dv: DeletionVectorDescriptor | null | undefined): string | null {
  if (dv === null || dv === undefined) return null
  const id = dv.storageType + dv.pathOrInlineDv
  return dv.offset === null || dv.offset === undefined ? id : `${id}@${dv.offset}`
}
