/**
 * Identity of data files (PROTOCOL.md, "Add File and Remove File"): `path` is an RFC 2396 URI, relative to the table or absolute, and
 * one file may be named in several ways. Everything that compares files does so on the canonical form made here.
 */
import type { DeletionVectorDescriptor } from './actions.ts'

/** An absolute place, decoded and without `.` and `..`. `path` starts with '/'; `authority` is the host or bucket. */
type Place = { readonly scheme: string; readonly authority: string; readonly path: string }

const SCHEME = /^([A-Za-z][A-Za-z0-9+.-]*):(?=\/)/
/** Hadoop's three names for one object store; the objects are the same. */
const SCHEME_ALIASES: Readonly<Record<string, string>> = { s3a: 's3', s3n: 's3' }
/** One escaped character: an ASCII one, or a lead byte with as many continuation bytes as it announces. */
const ESCAPED = /%[0-7][\da-f]|%[cd][\da-f]%[89ab][\da-f]|%e[\da-f](?:%[89ab][\da-f]){2}|%f[0-7](?:%[89ab][\da-f]){3}/gi

/** Undoes percent encoding once: `%2520` becomes `%20`, '+' stays, and what is no valid escape stays as written. */
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

/** Removes `.` and resolves `..`; a `..` above the start has nothing to remove and disappears. */
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

/** A file system takes `a//b` for `a/b`; on an object store they are two keys. */
function tidy(scheme: string, path: string): string {
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
  return { scheme: known, authority, path: tidy(known, decode ? decodeOnce(path) : path) }
}

type Root = {
  readonly place: Place
  /** `place.path` with a '/' at the end, and the same of the root's undecoded text. */
  readonly folder: string
  readonly literalFolder: string
  /** Ways to write the root that need no decoding, each with a '/' at the end. */
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
  // Undecoded text stands for the decoded folder only where the two are the same.
  const prefixes = literal.path === place.path ? [full + literalFolder, ...short] : []
  return { place, folder: withSlash(place.path), literalFolder, prefixes }
}

// A table calls this millions of times with one root: remembering the last one is all the cache that is worth having.
let lastRootText = ''
let lastRoot: Root = parseRoot('file:///')

function rootOf(root: string): Root {
  if (root !== lastRootText) {
    lastRoot = parseRoot(root)
    lastRootText = root
  }
  return lastRoot
}

/** The path below the root, or the absolute place where it is not below it. */
function locate(path: string, root: string): string | Place {
  const table = rootOf(root)
  const scheme = SCHEME.exec(path)?.[1]
  let place: Place
  if (scheme !== undefined) {
    place = placeOf(scheme, path.slice(scheme.length + 1), true)
  } else {
    const decoded = decodeOnce(path)
    // An escaped slash or dot means what it says: `%2Fetc/x` and `%2e%2e/x` are checked after decoding.
    const joined = decoded.startsWith('/') ? decoded : table.folder + decoded
    const { scheme: own, authority } = table.place
    place = { scheme: own, authority, path: tidy(own, joined) }
  }
  if (place.scheme === table.place.scheme && place.authority === table.place.authority) {
    for (const folder of [table.folder, table.literalFolder]) {
      if (place.path.startsWith(folder)) return place.path.slice(folder.length)
    }
  }
  return place
}

/** Whether decoded text names a file below the root as it stands. */
function isTidy(path: string): boolean {
  if (path.charCodeAt(0) === 0x2f || path.charCodeAt(path.length - 1) === 0x2e) return false
  return !path.includes('./') && !path.includes('//')
}

/** `isTidy`, and nothing to decode and no scheme either: the form nearly every writer uses. */
function isPlain(path: string): boolean {
  return !path.includes('%') && !path.includes(':') && isTidy(path)
}

/**
 * The one name of a data file, to compare and to store. Decoded text, not a URI: never pass it in again.
 * @param path as the log has it
 * @param root URI of the table root, without a slash at the end
 * @returns relative to the root with '/' between the parts where the file is below it, else `scheme://authority/path`
 */
export function canonicalPath(path: string, root: string): string {
  if (isPlain(path)) return path
  if (path.charCodeAt(0) !== 0x2f && !SCHEME.test(path)) {
    // Escaped partition values (`hour=2024-01-01%2010%3A00`) are common enough to deserve a short way.
    const decoded = decodeOnce(path)
    if (isTidy(decoded) && !SCHEME.test(decoded)) return decoded
  } else {
    for (const prefix of rootOf(root).prefixes) {
      if (!path.startsWith(prefix)) continue
      const rest = path.slice(prefix.length)
      if (isPlain(rest)) return rest
    }
  }
  const located = locate(path, root)
  if (typeof located !== 'string') return `${located.scheme}://${located.authority}${located.path}`
  // A relative name that reads like an absolute one (an escaped ':') must not meet the real absolute one.
  return SCHEME.test(located) ? `./${located}` : located
}

/**
 * Where to read a data file. Files outside the table (shallow clones) come as a percent-encoded URI, and are not to be opened
 * unless the user asked for it.
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

/** Second half of a file's key (PROTOCOL.md, "Deletion Vectors", derived fields): null without a vector; an offset of 0 counts. */
export function dvId(dv: DeletionVectorDescriptor | null | undefined): string | null {
  if (dv === null || dv === undefined) return null
  const id = dv.storageType + dv.pathOrInlineDv
  return dv.offset === null || dv.offset === undefined ? id : `${id}@${dv.offset}`
}
