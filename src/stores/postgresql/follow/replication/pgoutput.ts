/**
 * Decodes messages of the output plugin `pgoutput`, protocol version 1 without streaming:
 * https://www.postgresql.org/docs/18/protocol-logicalrep-message-formats.html
 * Values are the texts that the server prints.
 */
import type { LogPosition } from '../../../../model/copy/change.ts'
import { SluiceError } from '../../../../shared/errors.ts'

/**
 * Texts of a row, ordered as in its Relation message: `null` is NULL, `undefined` is an unchanged value that was not
 * sent.
 */
export type Tuple = readonly (string | null | undefined)[]

export type RelationColumn = {
  /** True if the column is part of the replica identity. */
  readonly key: boolean
  readonly name: string
  /** OID of the type, and its length or precision: pg_attribute.atttypmod. */
  readonly type: number
  readonly modifier: number
}

/** Sent before the first change of a table, and again after the table was changed. */
export type RelationMessage = {
  readonly type: 'relation'
  readonly id: number
  readonly schema: string
  readonly name: string
  /** pg_class.relreplident: `d`, `n`, `f` or `i`. */
  readonly identity: string
  readonly columns: readonly RelationColumn[]
}

/** The row before a change: its replica identity (other columns null), or under REPLICA IDENTITY FULL the whole row. */
export type OldRow = { readonly whole: boolean; readonly row: Tuple }

export type OutputMessage =
  /** @property commit start of the commit record @property at ms since the epoch */
  | { readonly type: 'begin'; readonly xid: number; readonly commit: LogPosition; readonly at: number }
  | { readonly type: 'commit'; readonly end: LogPosition }
  | RelationMessage
  | { readonly type: 'insert'; readonly relation: number; readonly row: Tuple }
  | { readonly type: 'update'; readonly relation: number; readonly old: OldRow | null; readonly row: Tuple }
  | { readonly type: 'delete'; readonly relation: number; readonly old: OldRow }
  | { readonly type: 'truncate'; readonly relations: readonly number[] }
  /** Follows `begin`: the transaction was applied under a replication origin. */
  | { readonly type: 'origin' }
  /** Messages that change no row: Type, and messages of pg_logical_emit_message. */
  | { readonly type: 'other' }

const FOREIGN: OutputMessage = { type: 'origin' }
const OTHER: OutputMessage = { type: 'other' }
/** Milliseconds from 1970 to 2000, the epoch of PostgreSQL. */
const EPOCH_MS = 946_684_800_000
/** Largest value in bytes that fits into a text. */
export const MOST_VALUE = 500 * 1024 * 1024
/** Up to this length reading bytes one by one is faster than calling a decoder. */
const SHORT = 12
/** Up to this length a check for ASCII saves time: the ASCII decoder takes a third of the time of the UTF-8 decoder. */
const ASCII_CHECK_MAX = 128

const BEGIN = code('B')
const COMMIT = code('C')
const ORIGIN = code('O')
export const RELATION = code('R')
export const TYPE = code('Y')
export const INSERT = code('I')
export const UPDATE = code('U')
export const DELETE = code('D')
const TRUNCATE = code('T')
const MESSAGE = code('M')
/** Type bytes before a row, and before each of its values. */
export const NEW = code('N')
export const KEY = code('K')
export const OLD = code('O')
export const NULL = code('n')
const UNCHANGED = code('u')
export const TEXT = code('t')
export const BINARY = code('b')

/** Returns the function that converts the binary format of a type, given by its OID, to text. */
export type BinaryTexts = (type: number) => (data: Buffer, start: number, end: number) => string

/** Reads one message between two offsets of a buffer. Reusable, for one message after the other. */
export class OutputReader {
  #data: Buffer = Buffer.alloc(0)
  /** View of the same bytes, for 64-bit numbers: `Buffer` creates several BigInts for each of them. */
  #view = new DataView(this.#data.buffer)
  #at = 0
  #end = 0
  readonly #binary: BinaryTexts
  /** Types of the columns of each relation. */
  readonly #types = new Map<number, readonly number[]>()

  constructor(binary: BinaryTexts = neverBinary) {
    this.#binary = binary
  }

  /** @throws SluiceError BAD_STREAM if not exactly one message; VALUE_REFUSED for a value too large for a text */
  read(data: Buffer, start: number, end: number): OutputMessage {
    if (this.#data !== data) this.#view = new DataView(data.buffer, data.byteOffset, data.length)
    this.#data = data
    this.#at = start
    this.#end = end
    const message = this.#message(this.#byte())
    if (message !== OTHER && message !== FOREIGN && this.#at !== end)
      throw broken(`${end - this.#at} bytes remain after a message`)
    return message
  }

  #message(kind: number): OutputMessage {
    switch (kind) {
      case INSERT: {
        const relation = this.#uint32()
        this.#expect(NEW)
        return { type: 'insert', relation, row: this.#tuple(relation) }
      }
      case UPDATE:
        return this.#update()
      case DELETE: {
        const relation = this.#uint32()
        return { type: 'delete', relation, old: this.#old(relation, this.#byte()) }
      }
      case BEGIN: {
        const commit = this.#uint64()
        const at = this.#time()
        return { type: 'begin', commit, at, xid: this.#uint32() }
      }
      case COMMIT: {
        // Skip flags, and the start of the commit record, which `begin` contained already.
        this.#skip(1 + 8)
        const end = this.#uint64()
        this.#skip(8)
        return { type: 'commit', end }
      }
      case RELATION:
        return this.#relation()
      case TRUNCATE: {
        const count = this.#uint32()
        this.#byte()
        this.#need(count * 4)
        return { type: 'truncate', relations: Array.from({ length: count }, () => this.#uint32()) }
      }
      case ORIGIN:
        return FOREIGN
      case TYPE:
      case MESSAGE:
        return OTHER
      default:
        throw broken(`sluice does not know the message ${shown(kind)}`)
    }
  }

  #update(): OutputMessage {
    const relation = this.#uint32()
    const next = this.#byte()
    if (next === NEW) return { type: 'update', relation, old: null, row: this.#tuple(relation) }
    const old = this.#old(relation, next)
    this.#expect(NEW)
    return { type: 'update', relation, old, row: this.#tuple(relation) }
  }

  #old(relation: number, kind: number): OldRow {
    if (kind !== KEY && kind !== OLD) throw broken(`an old row begins with an unexpected ${shown(kind)}`)
    return { whole: kind === OLD, row: this.#tuple(relation) }
  }

  #relation(): RelationMessage {
    const id = this.#uint32()
    // The server sends the schema pg_catalog as an empty name.
    const schema = this.#name() || 'pg_catalog'
    const name = this.#name()
    const identity = String.fromCharCode(this.#byte())
    const columns = Array.from({ length: this.#uint16() }, (): RelationColumn => {
      const key = (this.#byte() & 1) === 1
      return { key, name: this.#name(), type: this.#uint32(), modifier: this.#int32() }
    })
    this.#types.set(
      id,
      columns.map(({ type }) => type),
    )
    return { type: 'relation', id, schema, name, identity, columns }
  }

  #tuple(relation: number): Tuple {
    const count = this.#uint16()
    // Allocated at full length: a growing array would reserve spare memory.
    const cells = new Array<string | null | undefined>(count)
    for (let i = 0; i < count; i++) {
      const kind = this.#byte()
      if (kind === TEXT) cells[i] = this.#value(pgoutputText)
      else if (kind === NULL) cells[i] = null
      else if (kind === UNCHANGED) cells[i] = undefined
      else if (kind === BINARY) cells[i] = this.#value(this.#binary(this.#types.get(relation)?.[i] ?? 0))
      else throw broken(`a value begins with an unexpected ${shown(kind)}`)
    }
    return cells
  }

  #value(text: typeof pgoutputText): string {
    const length = this.#uint32()
    this.#need(length)
    const start = this.#at
    const end = start + length
    this.#at = end
    if (length > MOST_VALUE) throw tooLarge(length)
    return text(this.#data, start, end)
  }

  #name(): string {
    const end = this.#data.indexOf(0, this.#at)
    if (end === -1 || end >= this.#end) throw broken('a name has no end')
    const name = this.#data.toString('utf8', this.#at, end)
    this.#at = end + 1
    return name
  }

  #expect(wanted: number): void {
    const found = this.#byte()
    if (found !== wanted) throw broken(`${shown(found)} was received instead of ${shown(wanted)}`)
  }

  #need(bytes: number): void {
    if (this.#at + bytes > this.#end) throw broken('a message ends too early')
  }

  #byte(): number {
    this.#need(1)
    return this.#data[this.#at++] as number
  }

  #uint16(): number {
    this.#need(2)
    this.#at += 2
    return this.#data.readUInt16BE(this.#at - 2)
  }

  #uint32(): number {
    this.#need(4)
    this.#at += 4
    return this.#data.readUInt32BE(this.#at - 4)
  }

  #int32(): number {
    return this.#uint32() | 0
  }

  #uint64(): bigint {
    this.#need(8)
    this.#at += 8
    return this.#view.getBigUint64(this.#at - 8)
  }

  /** ms since the epoch, exact until the year 2285 */
  #time(): number {
    this.#need(8)
    const us = this.#data.readInt32BE(this.#at) * 2 ** 32 + this.#data.readUInt32BE(this.#at + 4)
    this.#at += 8
    return Math.trunc(us / 1000 + EPOCH_MS)
  }

  #skip(bytes: number): void {
    this.#need(bytes)
    this.#at += bytes
  }
}

function neverBinary(): never {
  throw broken('a value has a binary format that was not requested')
}

/** Error for a value that is too large for a text. */
export function tooLarge(bytes: number): SluiceError {
  return new SluiceError('VALUE_REFUSED', `a value of ${bytes} bytes is too large to be parsed`, {
    kind: 'source',
    hint: 'exclude the column with --columns',
  })
}

/** Text of a value between two offsets of a buffer. */
export function pgoutputText(data: Buffer, start: number, end: number): string {
  const length = end - start
  if (length > ASCII_CHECK_MAX || !isAscii(data, start, end)) return data.toString('utf8', start, end)
  return length <= SHORT ? shortAscii(data, start, end) : data.toString('latin1', start, end)
}

function isAscii(data: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if ((data[at] as number) > 127) return false
  return true
}

function shortAscii(data: Buffer, start: number, end: number): string {
  let text = ''
  let at = start
  // Four characters at a time, because each intermediate text is garbage to collect.
  for (; at + 4 <= end; at += 4) {
    const [a, b, c, d] = [data[at], data[at + 1], data[at + 2], data[at + 3]] as [number, number, number, number]
    text += String.fromCharCode(a, b, c, d)
  }
  for (; at < end; at++) text += String.fromCharCode(data[at] as number)
  return text
}

/** Code of an ASCII letter. */
export function code(letter: string): number {
  return letter.charCodeAt(0)
}

function shown(byte: number): string {
  return byte > 32 && byte < 127 ? `'${String.fromCharCode(byte)}'` : `byte ${byte}`
}

/** Error for a message that violates the protocol. */
export function broken(reason: string): SluiceError {
  return new SluiceError('BAD_STREAM', 'the stream of changes cannot be read', {
    reason,
    hint: 'connect directly, without a pooler or proxy; if it happens again, report it with the version of the server',
  })
}
