/** Splits a JSON file of the log into pieces at line breaks for the scratch database, or into multi-line objects. */
import { createHash } from 'node:crypto'
import { isUtf8 } from 'node:buffer'
import type { LogStore } from '../../model/lake/log-store.ts'
import { SluiceError } from '../../shared/errors.ts'

export type LinesPiece = { readonly firstLine: number; readonly body: Buffer }
/** @property isMarked true if the file begins with a byte order mark, which is not in the pieces */
export type ReadFileFacts = { readonly bytes: number; readonly digest: string; readonly isMarked: boolean }

const LF = 10
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])

/** Yields pieces of whole lines; returns size and sha256 of exactly the bytes read. */
export async function* linePieces(
  log: LogStore,
  path: string,
  signal: AbortSignal,
): AsyncGenerator<LinesPiece, ReadFileFacts, undefined> {
  const hash = createHash('sha256')
  let bytes = 0
  let line = 1
  let held: Buffer[] = []
  let isMarked = false
  const piece = (body: Buffer): LinesPiece => {
    const begins = line === 1 && body.subarray(0, 3).equals(BYTE_ORDER_MARK)
    isMarked ||= begins
    const made = { firstLine: line, body: checkText(begins ? body.subarray(3) : body, path) }
    for (let at = body.indexOf(LF); at !== -1; at = body.indexOf(LF, at + 1)) line++
    return made
  }
  for await (const chunk of log.read(path, { signal })) {
    hash.update(chunk)
    bytes += chunk.length
    const last = chunk.lastIndexOf(LF)
    if (last === -1) {
      held.push(chunk)
      continue
    }
    const body = Buffer.concat([...held, chunk.subarray(0, last + 1)])
    held = last + 1 === chunk.length ? [] : [chunk.subarray(last + 1)]
    yield piece(body)
  }
  if (held.length > 0) yield piece(Buffer.concat(held))
  return { bytes, digest: hash.digest('hex'), isMarked }
}

function checkText(body: Buffer, path: string): Buffer {
  if (isUtf8(body)) return body
  throw badFile(path, 'not valid UTF-8')
}

export function badFile(path: string, message: string): SluiceError {
  return new SluiceError('BAD_ACTION', `${path}: ${message}`, {
    where: path,
    hint: 'restore the file from a copy; unreadable lines cannot be compared',
  })
}

export type JsonText = {
  readonly line: number
  /** The text between the line breaks; lines of one object are joined by a line feed. */
  readonly raw: string
  /** The same text with lone surrogates replaced: DuckDB refuses them, and no text column can store them. */
  readonly text: string
}

/**
 * Objects of a file whose lines are not all JSON by themselves: pretty-printed actions, or escapes of lone surrogates.
 * @throws SluiceError BAD_ACTION
 */
export function objectsOf(content: string, path: string): readonly JsonText[] {
  const found: JsonText[] = []
  let open: { line: number; lines: string[]; depth: number } | null = null
  for (const [i, withReturn] of content.split('\n').entries()) {
    const raw = withReturn.endsWith('\r') ? withReturn.slice(0, -1) : withReturn
    if (open === null && raw.trim() === '') continue
    open ??= { line: i + 1, lines: [], depth: 0 }
    open.lines.push(raw)
    open.depth += depthOf(raw)
    if (open.depth > 0) continue
    const text = open.lines.join('\n')
    found.push({ line: open.line, raw: text, text: withoutLoneSurrogates(text) })
    open = null
  }
  if (open !== null) throw badFile(`${path}:${open.line}`, 'the file ends in the middle of a JSON object')
  return found
}

/** Number of brackets that a line opens minus those that it closes. A JSON string cannot span lines. */
function depthOf(line: string): number {
  let depth = 0
  for (const token of line.match(/"(?:[^"\\]|\\.)*"|[{}[\]]/g) ?? []) {
    if (token === '{' || token === '[') depth++
    else if (token === '}' || token === ']') depth--
  }
  return depth
}

/** A lone surrogate such as `\ud83d` becomes `\ufffd`; a backslash that is itself escaped is skipped. */
function withoutLoneSurrogates(json: string): string {
  return json.replace(
    /\\u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|\\(?:u([\da-fA-F]{4})|.)/g,
    (token, unit) => (typeof unit === 'string' && /^d[89a-f]/i.test(unit) ? '\\ufffd' : token),
  )
}
