/**
 * Reads commits as streams of actions: JSON, one object per line (PROTOCOL.md, "Delta Log Entries"). Memory does not
 * grow with the size of a commit. An unreadable line is an error; no line is skipped.
 */
import { createHash } from 'node:crypto'
import { isAscii, isUtf8 } from 'node:buffer'
import { SluiceError } from '../shared/errors.ts'
import { throwIfAborted } from '../shared/abort.ts'
import type { LogStore } from '../model/lake/log-store.ts'
import type { ActionKind, ActionLine } from './actions.ts'
import type { CommitFile } from './listing.ts'
import { MAX_LINE, MultiLineObject, wholeLines } from './line-chunks.ts'
import { logPathOf } from './log-path.ts'
import { KINDS, parseAction, type ParseMode } from './parse-action.ts'

export { parseAction } from './parse-action.ts'

/** Size and digest of the bytes of a commit that were read, to check later that the file has not changed. */
export type CommitBytes = {
  readonly bytes: number
  /** sha256 of the file. */
  readonly digest: Buffer
}

export type LineOptions = {
  readonly signal: AbortSignal
  /** Kinds to return; lines that are clearly file actions of another kind are not even parsed. */
  readonly kinds?: ReadonlySet<ActionKind>
  readonly mode?: ParseMode
  /**
   * Called with every non-blank line before it is parsed. Returns true if the caller has handled the line, so that it
   * is left out.
   */
  readonly skip?: (raw: string, line: number) => boolean
  readonly onEnd?: (bytes: CommitBytes) => void
  /** Called for a byte order mark. delta-spark and this reader skip it; readers on delta-kernel refuse the table. */
  readonly onMark?: () => void
}

/** Maximum lines of a block: small enough to stop quickly, large enough that waiting between blocks costs nothing. */
const BLOCK_LINES = 2000
const LF = 10
const CR = 13

/**
 * Matches where a line may have a second action; the parser then decides. The inside of a JSON string never matches.
 */
const MORE_ACTIONS = new RegExp(String.raw`\}\s*,\s*"(?:${[...KINDS].join('|')})"`)

/** True if a line is certainly an action of a kind that was not requested. The line is not parsed for this. */
function isUnwantedAction(raw: string, kinds: ReadonlySet<ActionKind>): boolean {
  // A line with another end is truncated, or continues on the next line.
  if (!raw.endsWith('}}')) return false
  const isOther =
    (!kinds.has('add') && raw.startsWith('{"add":{')) || (!kinds.has('remove') && raw.startsWith('{"remove":{'))
  return isOther && !MORE_ACTIONS.test(raw)
}

/** Turns bytes into action lines, chunk by chunk. */
class LineReader {
  readonly #file: string
  readonly #kinds: ReadonlySet<ActionKind> | undefined
  readonly #mode: ParseMode
  readonly #skip: LineOptions['skip']
  readonly #onMark: LineOptions['onMark']
  #line = 0
  #multiLine: MultiLineObject | null = null

  constructor(file: string, options: LineOptions) {
    this.#file = file
    this.#kinds = options.kinds
    this.#mode = options.mode ?? 'whole'
    this.#skip = options.skip
    this.#onMark = options.onMark
  }

  readonly #where = (): string => `${this.#file}:${this.#multiLine?.line ?? this.#line}`

  fail(message: string): SluiceError {
    const where = this.#where()
    return new SluiceError('BAD_ACTION', `${where}: ${message}`, {
      where,
      hint: 'restore the file from a copy; sluice does not skip unreadable lines',
    })
  }

  /** Error for the next line, which is too long to be read. */
  tooLong(): SluiceError {
    this.#line++
    return this.fail('the line is longer than 512 MB')
  }

  /** Reads the lines in `bytes`; the last one may lack its line break. Yields at most BLOCK_LINES at a time. */
  *read(bytes: Buffer): Generator<readonly ActionLine[]> {
    if (!isUtf8(bytes)) {
      this.#line += badLine(bytes)
      throw this.fail('not valid UTF-8')
    }
    const encoding = isAscii(bytes) ? 'latin1' : 'utf8'
    let block: ActionLine[] = []
    const isMarked = this.#line === 0 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
    if (isMarked) this.#onMark?.()
    let start = isMarked ? 3 : 0
    while (start < bytes.length) {
      let end = bytes.indexOf(LF, start)
      if (end === -1) end = bytes.length
      const stop = end > start && bytes[end - 1] === CR ? end - 1 : end
      if (stop - start > MAX_LINE) throw this.tooLong()
      this.#line++
      const action = this.#take(bytes.toString(encoding, start, stop))
      if (action !== null) block.push(action)
      start = end + 1
      if (block.length >= BLOCK_LINES) {
        yield block
        block = []
      }
    }
    if (block.length > 0) yield block
  }

  #take(raw: string): ActionLine | null {
    if (this.#multiLine === null) {
      if (raw.length === 0 || raw.trim() === '') return null
      if (this.#kinds !== undefined && isUnwantedAction(raw, this.#kinds)) return null
      if (this.#skip?.(raw, this.#line) === true) return null
      try {
        return this.#wanted(this.#line, raw)
      } catch (error) {
        // Only a line that is not JSON by itself can start an object that spans several lines.
        if (!(error instanceof SluiceError) || !(error.cause instanceof SyntaxError)) throw error
        const spread = new MultiLineObject(this.#line)
        if (spread.take(raw) !== 'more') throw error
        this.#multiLine = spread
        return null
      }
    }
    const spread = this.#multiLine
    const state = spread.take(raw)
    if (state === 'more') return null
    if (state === 'broken') throw this.fail('not valid JSON, even together with the next lines')
    const line = this.#wanted(spread.line, spread.text)
    this.#multiLine = null
    return line
  }

  #wanted(line: number, raw: string): ActionLine | null {
    const action = parseAction(raw, this.#where, this.#mode)
    return this.#kinds === undefined || this.#kinds.has(action.kind) ? { line, raw, action } : null
  }

  end(): void {
    if (this.#multiLine !== null) throw this.fail('the file ends in the middle of a JSON object')
  }
}

/** Number of the first line that is not UTF-8, counted from 1 at the start of `bytes`. */
function badLine(bytes: Buffer): number {
  let start = 0
  for (let line = 1; ; line++) {
    const end = bytes.indexOf(LF, start)
    if (end === -1 || !isUtf8(bytes.subarray(start, end))) return line
    start = end + 1
  }
}

/** Action lines of a byte stream. @param file name for messages @throws SluiceError BAD_ACTION naming file and line */
export async function* actionLines(
  chunks: AsyncIterable<Buffer>,
  file: string,
  options: LineOptions,
): AsyncGenerator<readonly ActionLine[]> {
  const reader = new LineReader(file, options)
  const hash = options.onEnd === undefined ? null : createHash('sha256')
  let bytes = 0
  const counted = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      throwIfAborted(options.signal)
      bytes += chunk.length
      hash?.update(chunk)
      yield chunk
    }
  }
  for await (const lines of wholeLines(counted(), () => reader.tooLong())) {
    for (const block of reader.read(lines)) {
      throwIfAborted(options.signal)
      yield block
    }
  }
  reader.end()
  if (hash !== null) options.onEnd?.({ bytes, digest: hash.digest() })
}

/**
 * The actions of one commit, in blocks of at most 2000 lines, in the order of the file.
 * @param onEnd called after the last block with the size and digest of exactly the bytes that were read
 * @throws SluiceError BAD_ACTION (`file:line`) for a line that is not UTF-8, not JSON or not an action; SOURCE_GONE,
 * SOURCE_DENIED, SOURCE_IO
 */
export function readCommit(
  store: LogStore,
  file: CommitFile,
  signal: AbortSignal,
  onEnd?: (bytes: CommitBytes) => void,
): AsyncIterable<readonly ActionLine[]> {
  return readLog(store, file.name, { signal, ...(onEnd === undefined ? {} : { onEnd }) })
}

/** `readCommit` for any JSON file of the log, with a choice of kinds. */
export function readLog(store: LogStore, name: string, options: LineOptions): AsyncGenerator<readonly ActionLine[]> {
  const path = logPathOf(name)
  return actionLines(store.read(path, { signal: options.signal }), path, options)
}
