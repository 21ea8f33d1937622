/**
 * Damage to the files of a log, as data: kinds of damage to bytes, the files to damage, and the random choice of the
 * place.
 */
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** A whole number from 0 up to `below`. */
export type Draw = (below: number) => number

/** The same numbers for the same seed on every machine (mulberry32). */
export function drawFrom(seed: number): Draw {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

/** A seed from a text, so that each mutation is independent of those before it. */
export function seedOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

/** New bytes, and the place of the damage for the message. */
type Damaged = { readonly bytes: Buffer; readonly at: string }
type Damage = (bytes: Buffer, draw: Draw) => Damaged

function splice(bytes: Buffer, at: number, gone: number, put: Buffer, what = ''): Damaged {
  return { bytes: Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + gone)]), at: `byte ${at}${what}` }
}

function garbage(draw: Draw, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => draw(256)))
}

/** Start and length of a random line, line break included. */
function lineAt(bytes: Buffer, draw: Draw): { readonly start: number; readonly length: number } {
  const starts = [0]
  for (let at = bytes.indexOf(10); at !== -1 && at + 1 < bytes.length; at = bytes.indexOf(10, at + 1))
    starts.push(at + 1)
  const start = starts[draw(starts.length)] as number
  const end = bytes.indexOf(10, start)
  return { start, length: (end === -1 ? bytes.length : end + 1) - start }
}

/** A random byte of a set, or any byte if the file has none of them. */
function someByte(bytes: Buffer, draw: Draw, wanted: (byte: number) => boolean): number {
  const start = draw(bytes.length)
  for (let i = 0; i < bytes.length; i++) {
    const at = (start + i) % bytes.length
    if (wanted(bytes[at] as number)) return at
  }
  return start
}

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39
const isLetter = (byte: number): boolean => (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a

/** Kinds of damage to the bytes of one file. */
export const DAMAGE = {
  'flip a bit': (bytes, draw) => {
    const at = draw(bytes.length)
    const bit = draw(8)
    return splice(bytes, at, 1, Buffer.of((bytes[at] as number) ^ (1 << bit)), ` bit ${bit}`)
  },
  'set a byte': (bytes, draw) => splice(bytes, draw(bytes.length), 1, garbage(draw, 1)),
  'change a digit': (bytes, draw) => {
    const at = someByte(bytes, draw, isDigit)
    return splice(bytes, at, 1, Buffer.of(0x30 + draw(10)))
  },
  'change a letter': (bytes, draw) => {
    const at = someByte(bytes, draw, isLetter)
    return splice(bytes, at, 1, Buffer.of(0x61 + draw(26)))
  },
  truncate: (bytes, draw) => {
    const at = draw(bytes.length)
    return { bytes: bytes.subarray(0, at), at: `at byte ${at}` }
  },
  'cut at a line': (bytes, draw) => {
    const { start } = lineAt(bytes, draw)
    return { bytes: bytes.subarray(0, start), at: `at byte ${start}` }
  },
  'cut out bytes': (bytes, draw) => {
    const length = 1 + draw(64)
    return splice(bytes, draw(bytes.length), length, Buffer.alloc(0), ` length ${length}`)
  },
  'zero a block': (bytes, draw) => {
    const at = draw(bytes.length)
    const length = Math.min(1 + draw(512), bytes.length - at)
    return splice(bytes, at, length, Buffer.alloc(length), ` length ${length}`)
  },
  'insert garbage': (bytes, draw) => splice(bytes, draw(bytes.length + 1), 0, garbage(draw, 1 + draw(64))),
  'insert a line break': (bytes, draw) => {
    const at = someByte(bytes, draw, (byte) => byte === 0x2c || byte === 0x7b)
    return splice(bytes, at + 1, 0, Buffer.from('\n'))
  },
  'append garbage': (bytes, draw) => splice(bytes, bytes.length, 0, garbage(draw, 1 + draw(64))),
  'repeat a line': (bytes, draw) => {
    const { start, length } = lineAt(bytes, draw)
    return splice(bytes, start, 0, bytes.subarray(start, start + length))
  },
  'drop a line': (bytes, draw) => {
    const { start, length } = lineAt(bytes, draw)
    return splice(bytes, start, length, Buffer.alloc(0))
  },
  'append half a line': (bytes, draw) => {
    const { start, length } = lineAt(bytes, draw)
    return splice(bytes, bytes.length, 0, bytes.subarray(start, start + (length >> 1)))
  },
  empty: () => ({ bytes: Buffer.alloc(0), at: '' }),
} as const satisfies Record<string, Damage>

/** Kinds of damage to whole files. */
const WHOLE = ['delete', 'swap', 'overwrite with another'] as const

export type DamageName = keyof typeof DAMAGE | (typeof WHOLE)[number]

/** Damage that suits lines of JSON, or Parquet and other binary files. */
export const TEXT_DAMAGE: readonly DamageName[] = [...(Object.keys(DAMAGE) as (keyof typeof DAMAGE)[]), ...WHOLE]
const LINE_DAMAGE = /line|digit|letter/
export const BINARY_DAMAGE: readonly DamageName[] = TEXT_DAMAGE.filter((name) => !LINE_DAMAGE.test(name))

type LogFile = { readonly bytes: Buffer; readonly accessed: Date; readonly modified: Date }

/** One changed file; `bytes` is null if it was deleted. */
export type Change = {
  readonly file: string
  readonly damage: DamageName
  readonly bytes: Buffer | null
  readonly at: string
}

/** The original files of a table, to damage and to restore. */
export class Files {
  readonly folder: string
  readonly #files = new Map<string, LogFile>()

  /** Copies the `wanted` files of `source` to `folder`, with their times but without their permissions. */
  constructor(source: string, folder: string, wanted: (file: string) => boolean) {
    this.folder = folder
    for (const entry of readdirSync(source, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const path = join(entry.parentPath, entry.name)
      const file = path.slice(source.length + 1)
      if (!wanted(file)) continue
      const { atime, mtime } = statSync(path)
      this.#files.set(file, { bytes: readFileSync(path), accessed: atime, modified: mtime })
      this.#restore(file)
    }
  }

  /** Paths below the folder that match, in byte order. */
  named(pattern: RegExp): readonly string[] {
    return [...this.#files.keys()].filter((file) => pattern.test(file)).toSorted()
  }

  /** Draws a change for `count` files out of `targets`. */
  mutation(targets: readonly string[], count: number, draw: Draw): readonly Change[] {
    const changes = new Map<string, Change>()
    for (let i = 0; i < count; i++) {
      const file = targets[draw(targets.length)] as string
      const kinds = /\.(parquet|bin)$/.test(file) ? BINARY_DAMAGE : TEXT_DAMAGE
      const damage = kinds[draw(kinds.length)] as DamageName
      const other = targets[draw(targets.length)] as string
      const bytes = this.#bytes(file)
      if (damage === 'delete') changes.set(file, { file, damage, bytes: null, at: '' })
      else if (damage === 'swap' || damage === 'overwrite with another') {
        changes.set(file, { file, damage, bytes: this.#bytes(other), at: `with ${other}` })
        if (damage === 'swap') changes.set(other, { file: other, damage, bytes, at: `with ${file}` })
      } else changes.set(file, { file, damage, ...DAMAGE[damage](bytes, draw) })
    }
    return [...changes.values()]
  }

  /** Writes the damaged files with a new time, as an editor or a bad disk copy would. */
  apply(changes: readonly Change[]): void {
    for (const { file, bytes } of changes) {
      if (bytes === null) rmSync(join(this.folder, file))
      else writeFileSync(join(this.folder, file), bytes)
    }
  }

  /** Restores the files of a mutation, with their times. */
  restore(changes: readonly Change[]): void {
    for (const { file } of changes) this.#restore(file)
  }

  #bytes(file: string): Buffer {
    return (this.#files.get(file) as LogFile).bytes
  }

  #restore(file: string): void {
    const path = join(this.folder, file)
    const { bytes, accessed, modified } = this.#files.get(file) as LogFile
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, bytes)
    utimesSync(path, accessed, modified)
  }
}

/** Describes a mutation in one line. */
export function shown(changes: readonly Change[]): string {
  return changes.map(({ damage, file, at }) => `${damage} ${at} of ${file.replace('_delta_log/', '')}`).join(' + ')
}
