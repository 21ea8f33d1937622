/**
 * Reads the stats of a file (PROTOCOL.md, "Per-file Statistics") without parsing all of them: one pass over the JSON
 * text copies the text of the wanted columns, so that an int64 or a decimal is never rounded, and skips the rest.
 */
import { textWithLoneSurrogate } from './lone-surrogates.ts'

/** Wanted values as JSON text, strings with their quotes; undefined if missing, null or not a scalar. */
export type StatsPieces = {
  numRecords: string | undefined
  /** True if min and max are bounds of the rows that still exist; default true. */
  tightBounds: boolean
  /** One entry per column, in the order of the list given to the reader. */
  readonly min: (string | undefined)[]
  readonly max: (string | undefined)[]
  readonly nulls: (string | undefined)[]
}

export type StatsReader = {
  /** Null if the text is not a JSON object. The reader reuses the result: it is valid until the next call. */
  read(text: string): StatsPieces | null
}

type Node = { readonly key: string; slot: number; readonly children: Node[] }

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d

const LEADING_COUNT = /^\s*\{\s*"numRecords"\s*:\s*(\d{1,16})\s*[,}]/
const WHOLE_NUMBER = /^\d{1,16}$/
const BROKEN = new SyntaxError('no JSON object')

function treeOf(paths: readonly (readonly string[])[]): Node {
  const root: Node = { key: '', slot: -1, children: [] }
  for (const [slot, path] of paths.entries()) {
    let node = root
    for (const key of path) {
      let child = node.children.find((candidate) => candidate.key === key)
      if (!child) node.children.push((child = { key, slot: -1, children: [] }))
      node = child
    }
    node.slot = slot
  }
  return root
}

/** A reader for these columns, each given once as its path of physical names. */
export function statsReader(paths: readonly (readonly string[])[]): StatsReader {
  const tree = treeOf(paths)
  const blank = (): (string | undefined)[] => paths.map(() => undefined)
  const pieces: StatsPieces = { numRecords: undefined, tightBounds: true, min: blank(), max: blank(), nulls: blank() }
  let text = ''
  let at = 0
  let keyStart = 0
  let keyEnd = 0
  let keyEscaped = false

  // The loops below use locals: a closure variable costs a load from its context at every character.

  function skipSpace(): number {
    let code = text.charCodeAt(at)
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) code = text.charCodeAt(++at)
    return code
  }

  /** Skips from the opening quote to after the closing one; returns whether the string contains a backslash. */
  function skipString(): boolean {
    const source = text
    let escaped = false
    let i = at + 1
    for (; ; i++) {
      const code = source.charCodeAt(i)
      if (code === QUOTE) break
      if (code === BACKSLASH) {
        escaped = true
        i++
      }
      // After the end of the text the code is NaN.
      if (!(code >= 0)) throw BROKEN
    }
    at = i + 1
    return escaped
  }

  /** Skips a number, true, false, null, or a non-JSON word such as NaN. */
  function skipWord(): void {
    const source = text
    let i = at
    for (; i < source.length; i++) {
      const code = source.charCodeAt(i)
      if (code === COMMA || code === CLOSE_BRACE || code === CLOSE_BRACKET || code <= 0x20) break
      if (code === QUOTE || code === COLON || code === OPEN_BRACE || code === OPEN_BRACKET) throw BROKEN
    }
    if (i === at) throw BROKEN
    at = i
  }

  function skipValue(): void {
    const code = skipSpace()
    if (code === QUOTE) skipString()
    else if (code !== OPEN_BRACE && code !== OPEN_BRACKET) skipWord()
    else {
      let depth = 0
      do {
        const inner = text.charCodeAt(at)
        if (inner === QUOTE) {
          skipString()
          continue
        }
        if (inner === OPEN_BRACE || inner === OPEN_BRACKET) depth++
        else if (inner === CLOSE_BRACE || inner === CLOSE_BRACKET) depth--
        else if (!(inner >= 0)) throw BROKEN
        at++
      } while (depth > 0)
    }
  }

  function scalar(): string | undefined {
    const code = skipSpace()
    if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      skipValue()
      return undefined
    }
    const start = at
    skipValue()
    const piece = text.slice(start, at)
    return piece === 'null' ? undefined : piece
  }

  /** Moves to the object's next member. True: the key is recorded, `at` is on the value. False: `at` is after '}'. */
  function nextMember(first: boolean): boolean {
    let code = skipSpace()
    if (code === CLOSE_BRACE) {
      at++
      return false
    }
    if (!first) {
      if (code !== COMMA) throw BROKEN
      at++
      code = skipSpace()
    }
    if (code !== QUOTE) throw BROKEN
    keyStart = at + 1
    keyEscaped = skipString()
    keyEnd = at - 1
    if (skipSpace() !== COLON) throw BROKEN
    at++
    return true
  }

  function keyIs(key: string): boolean {
    if (keyEscaped) return jsonStringText(text.slice(keyStart - 1, keyEnd + 1)) === key
    const { length } = key
    if (keyEnd - keyStart !== length) return false
    // Compare the last character first: names of a table often differ only there (c_1, c_2), and most keys are not
    // wanted.
    return text.charCodeAt(keyEnd - 1) === key.charCodeAt(length - 1) && text.startsWith(key, keyStart)
  }

  function wanted(node: Node): Node | undefined {
    for (const child of node.children) if (keyIs(child.key)) return child
    return undefined
  }

  function readTree(node: Node, into: (string | undefined)[]): void {
    if (skipSpace() !== OPEN_BRACE) {
      skipValue()
      return
    }
    at++
    for (let first = true; nextMember(first); first = false) {
      const child = wanted(node)
      if (!child) skipValue()
      else if (child.children.length > 0 && skipSpace() === OPEN_BRACE) readTree(child, into)
      else if (child.slot >= 0) into[child.slot] = scalar()
      else skipValue()
    }
  }

  function readTop(): void {
    if (skipSpace() !== OPEN_BRACE) throw BROKEN
    at++
    let isCounted = false
    for (let first = true; nextMember(first); first = false) {
      if (keyIs('numRecords')) {
        const count = scalar()
        // If `numRecords` occurs twice, use the first, as DuckDB does.
        if (!isCounted) pieces.numRecords = count
        isCounted = true
      } else if (keyIs('minValues')) readTree(tree, pieces.min)
      else if (keyIs('maxValues')) readTree(tree, pieces.max)
      // The test engine of delta-kernel writes the plural.
      else if (keyIs('nullCount') || keyIs('nullCounts')) readTree(tree, pieces.nulls)
      else if (keyIs('tightBounds')) pieces.tightBounds = scalar() !== 'false'
      else skipValue()
    }
    skipSpace()
    if (at < text.length) throw BROKEN
  }

  return {
    read(stats) {
      text = stats
      at = 0
      pieces.numRecords = undefined
      pieces.tightBounds = true
      pieces.min.fill(undefined)
      pieces.max.fill(undefined)
      pieces.nulls.fill(undefined)
      try {
        readTop()
        return pieces
      } catch (error) {
        if (error === BROKEN) return null
        throw error
      }
    },
  }
}

/** The text of a quoted JSON string, or null if the piece is not a valid string. */
export function jsonStringText(piece: string): string | null {
  if (piece.charCodeAt(0) !== QUOTE) return null
  if (!piece.includes('\\')) return piece.slice(1, -1)
  try {
    return JSON.parse(piece) as string
  } catch {
    return null
  }
}

const countReader = statsReader([])

/**
 * Matches strings, which are kept, and invalid JSON that some writers write: NaN, infinite numbers, a trailing comma.
 */
const STRING_OR_SLIP = /"(?:[^"\\]|\\.)*"|-?\b(?:nan|inf(?:inity)?)\b|(?<![[{,]\s*),(?=\s*[}\]])/giu

/** True if DuckDB accepts a text as JSON when `validate` reads the log: it refuses lone surrogates. */
function isJson(text: string): boolean {
  try {
    return textWithLoneSurrogate(text, JSON.parse(text)) === null
  } catch {
    const repaired = text.replaceAll(STRING_OR_SLIP, (found) =>
      found.startsWith('"') ? found : found === ',' ? '' : '0',
    )
    return repaired !== text && isJson(repaired)
  }
}

/** Rows of a file by its stats; null if these are missing or not JSON, or the count is no safe non-negative integer. */
export function numRecordsOf(stats: string | null | undefined): number | null {
  if (stats === null || stats === undefined || !isJson(stats)) return null
  // A pattern is safe for the first key only: later, a column or a value may have the same text.
  const digits = LEADING_COUNT.exec(stats)?.[1] ?? countReader.read(stats)?.numRecords
  if (digits === undefined || !WHOLE_NUMBER.test(digits)) return null
  const count = Number(digits)
  return Number.isSafeInteger(count) ? count : null
}

function shown(piece: string | undefined): string | undefined {
  return piece === undefined ? undefined : (jsonStringText(piece) ?? piece)
}

/** Smallest and largest value and null count of a column, as text to show; members that the stats lack are absent. */
export function statsRange(
  stats: string | null | undefined,
  physicalPath: readonly string[],
): { readonly min?: string; readonly max?: string; readonly nulls?: string } {
  const pieces = stats === null || stats === undefined ? null : statsReader([physicalPath]).read(stats)
  if (!pieces) return {}
  const [min, max, nulls] = [shown(pieces.min[0]), shown(pieces.max[0]), shown(pieces.nulls[0])]
  return {
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    ...(nulls === undefined ? {} : { nulls }),
  }
}
